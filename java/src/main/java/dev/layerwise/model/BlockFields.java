package dev.layerwise.model;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/** Which fields a block of each kind has, and what they are where its description does not say. */
final class BlockFields {
  private static final Map<LayerSpec.Kind, List<String>> OF_KIND = new EnumMap<>(LayerSpec.Kind.class);

  static {
    OF_KIND.put(
        LayerSpec.Kind.CONVOLUTION,
        List.of("input", "shortcut", "channels", "kernel", "stride", "padding", "bias", "pool", "dropout"));
    OF_KIND.put(LayerSpec.Kind.LINEAR, List.of("input", "units", "bias", "dropout"));
    OF_KIND.put(
        LayerSpec.Kind.PREACTIVATION,
        List.of(
            "input", "shortcut", "channels", "kernel", "stride", "padding", "bias", "normalize_input", "dropout",
            "input_dropout"));
    OF_KIND.put(
        LayerSpec.Kind.SHORTCUT, List.of("input", "channels", "kernel", "stride", "padding", "bias", "batch_norm"));
    OF_KIND.put(
        LayerSpec.Kind.HEAD,
        List.of("input", "batch_norm", "relu", "pool", "average_pool", "affine", "norm_momentum"));
    OF_KIND.put(LayerSpec.Kind.OUTPUT, List.of("input", "zero_start"));
  }

  private static final ObjectMapper JSON = new ObjectMapper();

  private BlockFields() {}

  /** The fields of a kind, beside name and kind. */
  static List<String> of(LayerSpec.Kind kind) {
    return OF_KIND.get(kind);
  }

  /** The first field that a block gives though its kind has none of that name, or {@code null}. */
  static String misplaced(BlockSpec block) {
    Iterator<String> given = JSON.valueToTree(block).fieldNames();
    while (given.hasNext()) {
      String field = given.next();
      if (!field.equals("name") && !field.equals("kind") && !of(block.kind()).contains(field)) {
        return field;
      }
    }
    return null;
  }

  /** The block with the defaults of its kind where it says nothing; channels and units have none. */
  static BlockSpec complete(BlockSpec block) {
    BlockSpec.Builder whole = BlockSpec.builder(block.kind(), block.name());
    whole.input(block.input()).shortcut(block.shortcut());
    switch (block.kind()) {
      case CONVOLUTION -> {
        convolution(whole, block, 3);
        whole.pool(or(block.pool(), false)).dropout(or(block.dropout(), true));
      }
      case LINEAR -> whole.units(block.units()).bias(or(block.bias(), true)).dropout(or(block.dropout(), true));
      case PREACTIVATION -> {
        convolution(whole, block, 3);
        whole.normalizeInput(or(block.normalizeInput(), true));
        whole.dropout(or(block.dropout(), true)).inputDropout(or(block.inputDropout(), false));
      }
      case SHORTCUT -> {
        convolution(whole, block, 1);
        whole.batchNorm(or(block.batchNorm(), true));
      }
      case HEAD -> {
        whole.batchNorm(or(block.batchNorm(), false)).relu(or(block.relu(), false));
        whole.pool(or(block.pool(), false)).averagePool(or(block.averagePool(), 1));
        whole.affine(or(block.affine(), true)).normMomentum(or(block.normMomentum(), 0.1));
      }
      case OUTPUT -> whole.zeroStart(or(block.zeroStart(), true));
    }
    return whole.build();
  }

  private static void convolution(BlockSpec.Builder whole, BlockSpec block, int usualKernel) {
    int kernel = or(block.kernel(), usualKernel);
    whole.channels(block.channels()).kernel(kernel, or(block.stride(), 1));
    whole.padding(or(block.padding(), kernel / 2)).bias(or(block.bias(), true));
  }

  private static <T> T or(T given, T usual) {
    return given == null ? usual : given;
  }
}

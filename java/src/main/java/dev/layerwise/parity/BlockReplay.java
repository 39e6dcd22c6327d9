package dev.layerwise.parity;

import dev.layerwise.nativelib.BlockConfig;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import dev.layerwise.safetensors.HostTensor;
import java.util.Map;

/** One block's training-mode forward and backward, against the reference values. */
final class BlockReplay {
  private static final double LOSS_TOLERANCE = 1e-5;

  private BlockReplay() {}

  static ParityResult run(Fixture fixture, NativeContext context) {
    Map<String, HostTensor> tensors = fixture.contents().tensors();
    Comparison comparison = new Comparison(context.precision());
    try (NativeBlock block = context.block(config(fixture));
        NativeTensor x = upload(context, fixture.tensor("x"));
        NativeTensor labels = context.labels(fixture.tensor("y").toInts());
        NativeTensor shortcut = tensors.containsKey("shortcut") ? upload(context, fixture.tensor("shortcut")) : null) {
      tensors.forEach(
          (name, value) -> {
            if (name.startsWith("param.") && !isUnused(fixture, name)) {
              block.write(name.substring("param.".length()), value.toFloats());
            }
          });
      block.inspect(x, labels, shortcut);
      tensors.forEach(
          (name, expected) -> {
            if (name.startsWith("buffer.")) {
              comparison.tensor(name, block.read(name.substring("buffer.".length())), expected.toFloats());
            } else if (!name.startsWith("param.") && !name.matches("x|y|shortcut")) {
              comparison.tensor(name, block.inspection(name), expected.toFloats());
            }
          });
      BlockMetrics metrics = block.metrics();
      double similarity = metrics.meanSimilarityLoss();
      double prediction = metrics.meanPredictionLoss();
      comparison.loss("loss_sim_weighted", similarity, fixture.number("loss_sim_weighted"), LOSS_TOLERANCE);
      comparison.loss("loss_pred_weighted", prediction, fixture.number("loss_pred_weighted"), LOSS_TOLERANCE);
      double alpha = fixture.number("alpha");
      double total = alpha * metrics.meanUnsupervisedLoss() + (1 - alpha) * (similarity + prediction);
      comparison.loss("loss_total", total, fixture.number("loss_total"), LOSS_TOLERANCE);
      if (!fixture.text("loss").equals("sim") && !fixture.flag("bio") && !comparison.isNarrow()) {
        comparison.number("correct", metrics.samples() - metrics.errors(), fixture.number("correct"), 0.5 / metrics.samples());
      }
    }
    return comparison.result(fixture.name());
  }

  /** The authors' modules make the similarity convolution under bio too, and never use it. */
  private static boolean isUnused(Fixture fixture, String name) {
    return fixture.flag("bio") && name.matches("param\\.(conv|linear)_loss\\.weight");
  }

  private static BlockConfig config(Fixture fixture) {
    boolean convolution = fixture.text("kind").equals("conv");
    int side = convolution ? fixture.integer("dim_in") : 1;
    BlockKind kind = convolution ? BlockKind.LAYERWISE_CONVOLUTION : BlockKind.LAYERWISE_LINEAR;
    BlockConfig config =
        new BlockConfig("block", kind)
            .shapes(fixture.integer("ch_in"), side, side, fixture.integer("ch_out"))
            .losses(
                Map.of(
                    "loss", fixture.text("loss"), "beta", fixture.number("beta"), "alpha", fixture.number("alpha"),
                    "loss_unsup", fixture.text("unsupervised"), "bio", fixture.flag("bio"),
                    "target_proj_size", fixture.integer("target_proj_size"),
                    "dim_in_decoder", fixture.integer("dim_in_decoder"),
                    "similarity_std", fixture.flag("similarity_std"), "classes", fixture.integer("classes")));
    config.fields().geometry()
        .kernel(fixture.integer("kernel")).stride(fixture.integer("stride")).padding(fixture.integer("padding"));
    config.fields()
        .bias(fixture.flag("bias") ? 1 : 0)
        .batch_norm(fixture.flag("batch_norm") ? 1 : 0)
        .negative_slope(fixture.negativeSlope());
    return config;
  }

  private static NativeTensor upload(NativeContext context, HostTensor tensor) {
    long[] shape = tensor.shape();
    int height = shape.length == 4 ? (int) shape[2] : 1;
    int width = shape.length == 4 ? (int) shape[3] : 1;
    return context.tensor(tensor.toFloats(), (int) shape[0], (int) shape[1], height, width);
  }
}

package dev.layerwise.nativelib;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.layerwise.nativelib.generated.BlockConfigStruct;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.javacpp.BytePointer;

/** What a block is to be: the published defaults, apart from what is set. {@link NativeContext#block} checks it. */
public final class BlockConfig {
  private final String name;
  private final BlockConfigStruct fields;

  /**
   * Starts from the published defaults: 3×3, stride 1, padding 1, bias, batch norm, ReLU, predsim with beta 0.99,
   * dim_in_decoder 4096, Adam. Sizes are 0.
   *
   * @param name begins every message about the block: "features.0"
   * @throws DeviceUnavailableException if the native library, which knows the defaults, does not load
   */
  public BlockConfig(String name, BlockKind kind) {
    NativeLibrary.load();
    this.name = name;
    fields = new BlockConfigStruct();
    LayerwiseApi.layerwise_block_config_defaults(fields);
    fields.kind(kind.value);
  }

  /** The fields of {@code layerwise_block_config}, as {@code layerwise.h} describes them; flags are 0 or 1. */
  public BlockConfigStruct fields() {
    return fields;
  }

  /** Sets the shape of an input sample, and the channels of the output: for the output layer, the classes. */
  public BlockConfig shapes(int inChannels, int inHeight, int inWidth, int outChannels) {
    fields.geometry().in_channels(inChannels).in_height(inHeight).in_width(inWidth).out_channels(outChannels);
    return this;
  }

  /** Sets fields of {@code layerwise_losses} by name. */
  public BlockConfig losses(Map<String, ?> settings) {
    StructFields.write(settings, fields.losses());
    return this;
  }

  /** Sets fields of {@code layerwise_optimizer} by name. */
  public BlockConfig optimizer(Map<String, ?> settings) {
    StructFields.write(settings, fields.optimizer());
    return this;
  }

  /** The block's name. */
  String name() {
    return name;
  }

  /** Calls with the structure, which has the name only until then. */
  <T> T use(Function<BlockConfigStruct, T> call) {
    try (BytePointer text = new BytePointer(name, UTF_8)) {
      return call.apply(fields.name(text));
    }
  }
}

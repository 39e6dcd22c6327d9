package dev.layerwise.nativelib;

import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how {@code layerwise.h} becomes Java classes. Used while building only; it is public
 * because JavaCPP creates it by reflection, and not final because the generated class extends it.
 */
@Properties(
    target = "dev.layerwise.nativelib.generated",
    global = "dev.layerwise.nativelib.generated.LayerwiseApi",
    value =
        @Platform(
            value = "linux-x86_64",
            compiler = "cpp17",
            define = "MODIFIED_UTF8_STRING", // Java strings reach C as UTF-8, whatever the locale
            include = "layerwise.h",
            link = "layerwise",
            preload = {"gomp@.1", "dnnl@.3"},
            library = "jnilayerwise"))
@NoException
public class LayerwisePreset implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(new Info("LAYERWISE_API").cppTypes().annotations());
    name(infoMap, "layerwise_communicator", "CommunicatorPointer");
    name(infoMap, "layerwise_context", "ContextPointer");
    name(infoMap, "layerwise_tensor", "TensorPointer");
    name(infoMap, "layerwise_dataset", "DataSetPointer");
    name(infoMap, "layerwise_block", "BlockPointer");
    name(infoMap, "layerwise_context_options", "ContextOptionsStruct");
    name(infoMap, "layerwise_memory", "MemoryStruct");
    name(infoMap, "layerwise_exchanged", "ExchangedStruct");
    name(infoMap, "layerwise_augmentation", "AugmentationStruct");
    name(infoMap, "layerwise_geometry", "GeometryStruct");
    name(infoMap, "layerwise_losses", "LossesStruct");
    name(infoMap, "layerwise_optimizer", "OptimizerStruct");
    name(infoMap, "layerwise_block_config", "BlockConfigStruct");
    name(infoMap, "layerwise_metrics", "MetricsStruct");
    name(infoMap, "layerwise_tensor_info", "TensorInfoStruct");
    enumeration(infoMap, "layerwise_precision", "Precision");
    enumeration(infoMap, "layerwise_block_kind", "BlockKind");
    enumeration(infoMap, "layerwise_loss", "Loss");
    enumeration(infoMap, "layerwise_loss_unsup", "LossUnsup");
    enumeration(infoMap, "layerwise_optim", "Optim");
    enumeration(infoMap, "layerwise_tensor_role", "TensorRole");
  }

  private static void name(InfoMap infoMap, String cName, String javaName) {
    infoMap.put(new Info(cName).pointerTypes(javaName));
  }

  private static void enumeration(InfoMap infoMap, String cName, String javaName) {
    infoMap.put(new Info(cName).enumerate().valueTypes(javaName));
  }
}

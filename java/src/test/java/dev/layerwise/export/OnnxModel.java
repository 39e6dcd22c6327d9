package dev.layerwise.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import dev.layerwise.model.InputDescription;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** An exported network, run by ONNX Runtime. */
final class OnnxModel implements AutoCloseable {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  OnnxModel(Path file) throws OrtException {
    session = environment.createSession(file.toString(), new OrtSession.SessionOptions());
  }

  Map<String, String> metadata() throws OrtException {
    return session.getMetadata().getCustomMetadata();
  }

  /** All outputs for levels in (N, C, H, W) order, which are normalized here as the metadata says. */
  Map<String, float[][]> run(byte[] pixels, int count, InputDescription input, int height, int width)
      throws OrtException {
    int channels = input.mean().length;
    float[] normalized = new float[pixels.length];
    for (int i = 0; i < pixels.length; i++) {
      int channel = i / (height * width) % channels;
      normalized[i] = ((pixels[i] & 0xff) / 255f - input.mean()[channel]) / input.deviation()[channel];
    }
    Map<String, float[][]> outputs = new LinkedHashMap<>();
    try (OnnxTensor images =
            OnnxTensor.createTensor(
                environment, FloatBuffer.wrap(normalized), new long[] {count, channels, height, width});
        OrtSession.Result result = session.run(Map.of("images", images))) {
      for (Map.Entry<String, ai.onnxruntime.OnnxValue> output : result) {
        outputs.put(output.getKey(), (float[][]) output.getValue().getValue());
      }
    }
    return outputs;
  }

  @Override
  public void close() throws OrtException {
    session.close();
  }
}

package dev.layerwise.train;

import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.ImageShape;
import java.util.SplittableRandom;

/** How long the layers of a network take, found out on the run's own device. */
public final class LayerTimes {
  private static final int STEPS = 10;

  private LayerTimes() {}

  /**
   * Trains a network of its own for ten steps on random images, after one that is not counted.
   *
   * @param batch images of a step
   * @return seconds of each layer
   */
  public static double[] measure(RunConfig config, int batch) {
    ImageShape shape = config.model().images();
    int classes = config.model().classes();
    SplittableRandom random = new SplittableRandom(config.training().seed());
    float[] pixels = new float[batch * shape.channels() * shape.height() * shape.width()];
    int[] labels = new int[batch];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) (2 * random.nextDouble() - 1);
    }
    for (int i = 0; i < batch; i++) {
      labels[i] = random.nextInt(classes);
    }
    double[] seconds = null;
    try (NativeContext context = NativeContext.create(config.device(), config.training().seed());
        DeviceNetwork network = new DeviceNetwork(context, config.model(), config.optimizer());
        NativeTensor images = context.tensor(pixels, batch, shape.channels(), shape.height(), shape.width());
        NativeTensor ofClasses = context.labels(labels)) {
      for (int step = 0; step <= STEPS; step++) {
        if (step <= 1) {
          seconds = new double[network.layers().size()];
        }
        context.setStep(step, config.training().learningRate(0));
        network.timedTrainStep(context, images, ofClasses, seconds);
      }
    }
    return seconds;
  }
}

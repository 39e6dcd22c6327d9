package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.EpochOrder;
import dev.layerwise.data.Seeds;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.settings.Augmentation;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.EigenDecomposition_F64;

/**
 * Filters that whiten the patches a convolution sees: eigenvectors of the covariance of patches of normalized images, each
 * divided by the square root of its eigenvalue, so that their outputs are uncorrelated and of variance 1. After the first
 * layer of K. Jordan's airbench (2024).
 */
final class Whitening {
  /** Images whose patches are sampled: enough that more would hardly change the covariance. */
  private static final int IMAGES = 5000;

  private static final int BATCH = 100;

  private static final int PATCHES_PER_IMAGE = 64;

  /** Added to the eigenvalues: directions in which images hardly vary are noise, and are not blown up. */
  private static final double EPSILON = 5e-4;

  private final DataSetInfo info;
  private final int kernel;
  private final Random random;
  private final double[] sums;
  private final double[][] products;
  private final double[] patch;
  private long patches;

  /**
   * @param info the images' shape, and their normalization
   * @param kernel side of the patches, at most that of the images
   * @param seed of the run
   */
  Whitening(DataSetInfo info, int kernel, long seed) {
    this.info = info;
    this.kernel = kernel;
    random = new Random(Seeds.derive(seed, IMAGES));
    int elements = info.channels() * kernel * kernel;
    sums = new double[elements];
    products = new double[elements][elements];
    patch = new double[elements];
  }

  /**
   * From a sample of training images.
   *
   * @param augmentation of the run; of it, the sample shows what images in files are like when they have been read
   * @throws LayerwiseException if none of them can be read
   */
  static Whitening of(ImageFeed feed, DataSet<?> data, int kernel, Augmentation augmentation, long seed) {
    int[] all = EpochOrder.shuffled(data.train().count(), seed, 0); // epochs are counted from 1
    int[] sample = Arrays.copyOf(all, Math.min(IMAGES, all.length));
    Whitening whitening = new Whitening(data.info(), kernel, seed);
    try (ImageFeed.Pass pass = feed.pass(sample, 0, BATCH, BatchSlice.WHOLE, 1, augmentation)) {
      while (pass.advance()) {
        for (int i = 0; i < pass.count(); i++) {
          whitening.add(pass.pixels(i));
        }
      }
    }
    if (whitening.patches == 0) {
      throw new LayerwiseException(
          "none of the " + sample.length + " training images chosen for whitening can be used; repair or replace them");
    }
    return whitening;
  }

  /**
   * Takes patches at random places of an image.
   *
   * @param pixels levels in (C, H, W) order
   */
  void add(byte[] pixels) {
    float[] mean = info.mean();
    float[] deviation = info.deviation();
    for (int i = 0; i < PATCHES_PER_IMAGE; i++) {
      int top = random.nextInt(info.height() - kernel + 1);
      int left = random.nextInt(info.width() - kernel + 1);
      int at = 0;
      for (int c = 0; c < info.channels(); c++) {
        for (int y = top; y < top + kernel; y++) {
          for (int x = left; x < left + kernel; x++) {
            int level = pixels[(c * info.height() + y) * info.width() + x] & 0xff;
            patch[at++] = (level / 255.0 - mean[c]) / deviation[c];
          }
        }
      }
      addPatch();
    }
  }

  private void addPatch() {
    for (int i = 0; i < patch.length; i++) {
      sums[i] += patch[i];
      for (int j = 0; j <= i; j++) {
        products[i][j] += patch[i] * patch[j];
      }
    }
    patches++;
  }

  /**
   * A convolution's weights whose first filters whiten: of each eigenvector, that of the largest eigenvalue first, the
   * filter and its negative, as far as there are channels.
   *
   * @param weights (out, C, kernel, kernel), whose other filters stay
   */
  HostTensor over(HostTensor weights) {
    EigenDecomposition_F64<DMatrixRMaj> eigen = DecompositionFactory_DDRM.eig(patch.length, true, true);
    if (!eigen.decompose(covariance())) {
      throw new LayerwiseException("the eigenvalues of the training images' patches could not be computed");
    }
    int[] largestFirst =
        IntStream.range(0, patch.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> -eigen.getEigenvalue(i).getReal()))
            .mapToInt(Integer::intValue)
            .toArray();
    float[] values = weights.toFloats();
    int filters = Math.min(2 * patch.length, (int) weights.shape()[0]);
    for (int filter = 0; filter < filters; filter++) {
      int pair = largestFirst[filter / 2];
      double[] direction = eigen.getEigenVector(pair).getData();
      double variance = Math.max(eigen.getEigenvalue(pair).getReal(), 0);
      double scale = (filter % 2 == 0 ? 1 : -1) * signOfPeak(direction) / Math.sqrt(variance + EPSILON);
      for (int i = 0; i < patch.length; i++) {
        values[filter * patch.length + i] = (float) (scale * direction[i]);
      }
    }
    return HostTensor.of(weights.shape(), values);
  }

  private DMatrixRMaj covariance() {
    DMatrixRMaj covariance = new DMatrixRMaj(patch.length, patch.length);
    for (int i = 0; i < patch.length; i++) {
      for (int j = 0; j <= i; j++) {
        double value = (products[i][j] - sums[i] * sums[j] / patches) / patches;
        covariance.set(i, j, value);
        covariance.set(j, i, value);
      }
    }
    return covariance;
  }

  /** An eigenvector's sign is arbitrary: of the two filters the one whose largest weight is positive comes first. */
  private static double signOfPeak(double[] direction) {
    double peak = 0;
    for (double component : direction) {
      peak = Math.abs(component) > Math.abs(peak) ? component : peak;
    }
    return peak < 0 ? -1 : 1;
  }
}

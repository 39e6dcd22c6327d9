package dev.layerwise.train;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Eigenvalues and eigenvectors of a small symmetric matrix. Plain arithmetic in a fixed order, so equal matrices give equal
 * bits on every machine.
 */
final class SymmetricMatrix {
  private static final int MOST_SWEEPS = 100;

  /**
   * An eigenvalue with its eigenvector.
   *
   * @param vector of length 1; its component of the largest magnitude is positive
   */
  record EigenPair(double value, double[] vector) {}

  private SymmetricMatrix() {}

  /**
   * The cyclic Jacobi method: it turns each pair of axes so that their product vanishes, until all have.
   *
   * @param matrix n × n, of which both halves are given; it is overwritten
   * @return all n, the largest eigenvalue first
   * @throws IllegalArgumentException if an element is not finite
   */
  static List<EigenPair> eigenPairs(double[][] matrix) {
    int n = matrix.length;
    double[][] vectors = new double[n][n]; // in rows
    for (int i = 0; i < n; i++) {
      vectors[i][i] = 1;
    }
    for (int sweep = 0; offDiagonal(matrix) > 0; sweep++) {
      if (sweep == MOST_SWEEPS) { // a finite matrix takes about ten
        throw new IllegalArgumentException("the matrix has elements that are not finite");
      }
      for (int p = 0; p < n - 1; p++) {
        for (int q = p + 1; q < n; q++) {
          rotate(matrix, vectors, p, q);
        }
      }
    }
    return IntStream.range(0, n)
        .mapToObj(i -> new EigenPair(matrix[i][i], withPositivePeak(vectors[i])))
        .sorted(Comparator.comparingDouble((EigenPair pair) -> -pair.value))
        .toList();
  }

  /** The sum of squares beside the diagonal, where they are not too small to count. */
  private static double offDiagonal(double[][] matrix) {
    double beside = 0;
    double all = 0;
    for (int i = 0; i < matrix.length; i++) {
      for (int j = 0; j < matrix.length; j++) {
        double square = matrix[i][j] * matrix[i][j];
        all += square;
        beside += i == j ? 0 : square;
      }
    }
    return beside <= 1e-28 * all ? 0 : beside; // relative 1e-14 in the eigenvalues
  }

  private static void rotate(double[][] matrix, double[][] vectors, int p, int q) {
    double product = matrix[p][q];
    if (product == 0) {
      return;
    }
    double theta = (matrix[q][q] - matrix[p][p]) / (2 * product);
    double tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
    double cosine = 1 / Math.sqrt(tangent * tangent + 1);
    double sine = tangent * cosine;
    for (double[] row : matrix) {
      double left = row[p];
      row[p] = cosine * left - sine * row[q];
      row[q] = sine * left + cosine * row[q];
    }
    turn(matrix[p], matrix[q], cosine, sine);
    turn(vectors[p], vectors[q], cosine, sine);
  }

  private static void turn(double[] first, double[] second, double cosine, double sine) {
    for (int i = 0; i < first.length; i++) {
      double before = first[i];
      first[i] = cosine * before - sine * second[i];
      second[i] = sine * before + cosine * second[i];
    }
  }

  private static double[] withPositivePeak(double[] vector) {
    double peak = 0;
    for (double component : vector) {
      peak = Math.abs(component) > Math.abs(peak) ? component : peak;
    }
    double sign = peak < 0 ? -1 : 1;
    return IntStream.range(0, vector.length).mapToDouble(i -> sign * vector[i]).toArray();
  }
}

package dev.layerwise.data;

import dev.layerwise.files.FileNames;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Objects;
import java.util.function.IntFunction;
import java.util.zip.CRC32C;

/**
 * By what it is told whether images are still the same ones in the same order.
 *
 * @param count number of images
 * @param sha256 of what {@link #ofFiles} or {@link #ofPixels} says, in hexadecimal
 */
public record Fingerprint(int count, String sha256) {
  /** Throws {@link NullPointerException} if the hash is missing. */
  public Fingerprint {
    Objects.requireNonNull(sha256);
  }

  /**
   * Of image files: the path of each below a folder, its class and its size. No file is opened, so a change that keeps a
   * file's size is not seen. Times do not count: copies have others.
   *
   * @param folder that contains them; where it is does not count
   * @param file path of each image
   * @param labels class of each image
   */
  public static Fingerprint ofFiles(Path folder, IntFunction<Path> file, int[] labels) {
    long[] sizes = new long[labels.length];
    Arrays.parallelSetAll(sizes, i -> size(file.apply(i))); // slow one by one where the folder is on a network
    MessageDigest digest = sha256Digest();
    ByteBuffer numbers = ByteBuffer.allocate(Integer.BYTES + Long.BYTES);
    for (int i = 0; i < labels.length; i++) {
      digest.update(FileNames.text(folder.relativize(file.apply(i))).getBytes(StandardCharsets.UTF_8));
      digest.update((byte) 0); // is in no path
      digest.update(numbers.clear().putInt(labels[i]).putLong(sizes[i]).array());
    }
    return new Fingerprint(labels.length, HexFormat.of().formatHex(digest.digest()));
  }

  /** −1 where it cannot be told; reading such a file fails too, and says why. */
  private static long size(Path file) {
    try {
      return Files.size(file);
    } catch (IOException e) {
      return -1;
    }
  }

  /**
   * Of images in memory: their labels and a checksum of all pixels.
   *
   * @param labels class of each image
   */
  public static Fingerprint ofPixels(ByteBuffer pixels, int[] labels) {
    CRC32C checksum = new CRC32C(); // gigabytes in a second, which SHA-256 is not
    checksum.update(pixels.duplicate().rewind());
    MessageDigest digest = sha256Digest();
    ByteBuffer number = ByteBuffer.allocate(Long.BYTES);
    digest.update(number.putLong(checksum.getValue()).array());
    for (int label : labels) {
      digest.update(number.clear().putLong(label).array());
    }
    return new Fingerprint(labels.length, HexFormat.of().formatHex(digest.digest()));
  }

  /** Of the same images where their pixels are taken as they are stored, and EXIF data are not applied. */
  public Fingerprint withoutExif() {
    MessageDigest digest = sha256Digest();
    digest.update((sha256 + " without EXIF").getBytes(StandardCharsets.UTF_8));
    return new Fingerprint(count, HexFormat.of().formatHex(digest.digest()));
  }

  private static MessageDigest sha256Digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every Java has it
    }
  }
}

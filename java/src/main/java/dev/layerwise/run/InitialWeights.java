package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.model.ModelFile;
import dev.layerwise.settings.Settings;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Objects;

/**
 * The file that a run's weights come from instead of random numbers.
 *
 * @param file as it was given
 * @param sha256 of its content, so that it can be told whether it is still the same
 * @param partial {@code true}: what does not fit the network stays random; {@code null}: everything fits
 */
@Settings.Group
public record InitialWeights(
    String file, String sha256, @JsonInclude(JsonInclude.Include.NON_NULL) Boolean partial) {
  private static final int BUFFER_BYTES = 1 << 16;

  /** Throws {@link NullPointerException} if the file or its hash is missing. */
  public InitialWeights {
    Objects.requireNonNull(file);
    Objects.requireNonNull(sha256);
  }

  /** Whether what does not fit the network stays random. */
  public boolean takesWhatFits() {
    return Boolean.TRUE.equals(partial);
  }

  /**
   * A safetensors file, or the model in a run's folder, or the checkpoint of a run that is not finished.
   *
   * @param partial whether what does not fit the network stays random
   * @throws LayerwiseException if it cannot be read
   */
  public static InitialWeights of(Path path, boolean partial) {
    Path file = Files.isDirectory(path) ? path.resolve(fileIn(path)) : path;
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        digest.update(buffer, 0, count);
      }
      return new InitialWeights(file.toString(), HexFormat.of().formatHex(digest.digest()), partial ? true : null);
    } catch (IOException e) {
      throw new LayerwiseException("cannot read the weights in " + file + " (" + FileErrors.reason(e) + ")", e);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every Java has it
    }
  }

  private static String fileIn(Path folder) {
    boolean unfinished = !RunDirectory.holdsModel(folder) && RunDirectory.holdsCheckpoint(folder);
    return unfinished ? Checkpoint.FILE_NAME : ModelFile.FILE_NAME;
  }
}

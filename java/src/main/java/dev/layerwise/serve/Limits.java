package dev.layerwise.serve;

import dev.layerwise.settings.Rules;
import dev.layerwise.settings.SettingsException;

/**
 * How a server gathers batches, and what it refuses.
 *
 * @param batchSize most images that are computed together
 * @param batchWait milliseconds that the first image of a batch waits for others that are being read; 0: none, but images
 *     that arrive during a computation are the next batch
 * @param queue images of all requests under way: being read, waiting or being computed. A request that finds no room is
 *     refused
 * @param maxImages of one request, at most {@code queue}
 * @param maxBody bytes of a request's body
 * @param maxPixels of an image before it is resized
 */
public record Limits(int batchSize, double batchWait, int queue, int maxImages, long maxBody, long maxPixels) {
  /**
   * Checks the numbers.
   *
   * @throws SettingsException if one is out of its range
   */
  public Limits {
    range("batch_size", batchSize, 1, 100_000);
    range("batch_wait", batchWait, 0, 10_000);
    range("queue", queue, 1, 100_000);
    range("max_images", maxImages, 1, queue);
    range("max_body", maxBody, 1, 1 << 30);
    range("max_pixels", maxPixels, 1, 100_000_000);
  }

  private static void range(String setting, Number value, double least, double most) {
    if (!Rules.isIn(value, least, most)) {
      throw new SettingsException(Rules.notIn("{" + setting + "}", value, least, most));
    }
  }
}

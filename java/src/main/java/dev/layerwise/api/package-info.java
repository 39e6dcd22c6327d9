/**
 * Layerwise as a library: networks that are trained block by block with local losses, and used.
 *
 * <ul>
 *   <li>{@link dev.layerwise.api.Network} says what is trained and with which local losses,
 *   <li>{@link dev.layerwise.api.DataSet} on what,
 *   <li>{@link dev.layerwise.api.Trainer} trains it,
 *   <li>{@link dev.layerwise.api.Model} is the result: it classifies images and gives features.
 * </ul>
 *
 * <p>A {@code Network} and a {@code DataSet} are immutable and may be shared. A {@code Trainer} is for one thread, but
 * for {@link dev.layerwise.api.Trainer#requestStop}. A {@code Model} may be used by any number of threads at a time.
 *
 * <p>What goes wrong in a way that a user can act on is a {@link dev.layerwise.LayerwiseException}, whose message is a
 * sentence. Images are bytes in (N, C, H, W) order: image by image, channel by channel, row by row.
 */
package dev.layerwise.api;

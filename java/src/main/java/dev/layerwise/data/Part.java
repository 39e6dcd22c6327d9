package dev.layerwise.data;

import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

/** The two parts of a data set. */
public enum Part {
  /** Images to learn from. */
  TRAIN,
  /** Images to judge by. */
  TEST;

  static final Set<Part> ALL = Set.of(values());

  /** Makes something of each of these parts, at the same time: unpacking one keeps a core busy. */
  static <T> Map<Part, T> each(Set<Part> parts, Function<Part, T> make) {
    Map<Part, CompletableFuture<T>> begun = new TreeMap<>();
    parts.forEach(part -> begun.put(part, CompletableFuture.supplyAsync(() -> make.apply(part))));
    Map<Part, T> made = new TreeMap<>();
    try {
      begun.forEach((part, result) -> made.put(part, result.join()));
    } catch (CompletionException e) {
      if (e.getCause() instanceof DataException problem) {
        throw problem;
      }
      throw e;
    }
    return made;
  }
}

package dev.layerwise.train;

import dev.layerwise.files.AtomicFiles;

/**
 * Brings a file to the disk while training goes on: one at a time, the next waits for the one before. What goes wrong is
 * thrown in the thread that trains, as soon as it asks.
 */
final class BackgroundFile {
  private Thread thread;
  private volatile RuntimeException failure;

  /** Finishes a file in a thread of its own. */
  void finish(AtomicFiles.Unfinished file) {
    try {
      await();
    } catch (RuntimeException e) {
      file.discard();
      throw e;
    }
    thread =
        new Thread(
            () -> {
              try {
                file.finish();
              } catch (RuntimeException e) {
                failure = e;
              }
            },
            "layerwise-checkpoint");
    thread.start(); // no daemon: a program that ends waits for it
  }

  /** Throws what went wrong since the last call. */
  void requireNoFailure() {
    RuntimeException found = failure;
    if (found != null) {
      failure = null;
      throw found;
    }
  }

  /** Waits until the file has its name; throws if it has not got it. */
  void await() {
    boolean interrupted = false;
    while (thread != null) {
      try {
        thread.join();
        thread = null;
      } catch (InterruptedException e) { // a file half written helps nobody
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    requireNoFailure();
  }
}

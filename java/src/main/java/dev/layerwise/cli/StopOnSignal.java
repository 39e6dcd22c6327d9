package dev.layerwise.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** Lets work end in good order on Ctrl-C and SIGTERM. */
final class StopOnSignal {
  /** What a process that was stopped by SIGINT exits with. */
  static final int EXIT_CODE = 130;

  private static final long PATIENCE_MINUTES = 10;

  private StopOnSignal() {}

  /**
   * Does the work. A signal meanwhile asks it to stop, and the virtual machine, which ends with the
   * signal's exit code, waits until it has put its results away.
   */
  static <T> T run(Runnable requestStop, Supplier<T> work) {
    CountDownLatch done = new CountDownLatch(1);
    Thread hook =
        new Thread(
            () -> {
              requestStop.run();
              try {
                done.await(PATIENCE_MINUTES, TimeUnit.MINUTES);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            });
    Runtime.getRuntime().addShutdownHook(hook);
    try {
      return work.get();
    } finally {
      done.countDown();
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // The machine is shutting down already, and that is what the hook is for.
      }
    }
  }
}

package dev.layerwise.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;

/** Lets work end cleanly on Ctrl-C, SIGTERM and a lost terminal; a second such signal ends it at once. */
final class StopOnSignal {
  private static final String TERM = "TERM";

  /** Signals that ask a process to end, and their numbers. */
  private static final Map<String, Integer> SIGNALS = Map.of("HUP", 1, "INT", 2, TERM, 15);

  /** A shell's exit code for a process ended by a signal is this plus the signal's number. */
  private static final int EXIT_CODE_OFFSET = 128;
  /**
   * A system property: another process of this program leads this one. A terminal sends Ctrl-C to both, and the leader passes
   * it on as SIGTERM, so the other signals are nothing for this one: a second signal would end it at once.
   */
  static final String LED = "layerwise.led";

  private static final long TIDYING_MILLIS = 200;

  private StopOnSignal() {}

  /**
   * Does the work. The first signal asks it to stop. The second ends the process at once. Files are replaced as a
   * whole, so the disk then still has the previous files.
   *
   * @param atOnce leaves the terminal tidy before the process ends at once
   * @param work returns whether it finished without being stopped
   * @return the exit code: 0, or the first signal's; SIGTERM's if another process that takes part was asked to stop
   */
  static int run(Runnable requestStop, Runnable atOnce, BooleanSupplier work) {
    AtomicInteger received = new AtomicInteger();
    Map<String, Object> before = new LinkedHashMap<>();
    SIGNALS.forEach(
        (name, number) ->
            before.put(
                name,
                Signals.handle(
                    name,
                    () -> {
                      if (Boolean.getBoolean(LED) && !name.equals(TERM)) {
                        return;
                      }
                      if (!received.compareAndSet(0, number)) {
                        tidyUp(atOnce);
                        Runtime.getRuntime().halt(EXIT_CODE_OFFSET + number);
                      }
                      requestStop.run();
                    })));
    try {
      boolean finished = work.getAsBoolean();
      received.compareAndSet(0, SIGNALS.get(TERM));
      return finished ? 0 : EXIT_CODE_OFFSET + received.get();
    } finally {
      before.forEach(Signals::restore);
    }
  }

  /** A terminal that takes no more, and a thread that waits for it, must not hold up the end. */
  private static void tidyUp(Runnable atOnce) {
    Thread tidying = new Thread(atOnce, "tidying the terminal");
    tidying.setDaemon(true);
    tidying.start();
    try {
      tidying.join(TIDYING_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

package dev.layerwise.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.sweep.Sweep;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;

/** Prints a sweep: the table or JSON lines to stdout, the progress of the runs to stderr. */
final class SweepPrinter extends TablePrinter implements Sweep.Listener {
  private final boolean named; // several runs at a time: each line says of which it is

  SweepPrinter(PrintWriter out, PrintWriter err, boolean json, boolean named) {
    super(out, err, json);
    this.named = named;
  }

  void started(Sweep.Run run, boolean resumes) {
    say("%s: %s in %s", run, resumes ? "continuing" : "training", run.home());
  }

  /** An object that the run has printed; of all that it prints, its epochs are passed on. */
  synchronized void event(Sweep.Run run, JsonNode event) {
    if (!event.path("event").asText().equals("epoch")) {
      return;
    }
    if (json) {
      Map<String, Object> content = of(run);
      event.properties().forEach(field -> content.putIfAbsent(field.getKey(), field.getValue()));
      content.remove("event");
      JsonLines.print(out, "epoch", content);
      return;
    }
    JsonNode validation = event.path("validation_error");
    say(
        "  %sepoch %d/%d: %stest error %.2f %%, %.0f images/s", named ? run + ": " : "", event.path("epoch").asInt(),
        event.path("epochs").asInt(),
        validation.isNumber() ? String.format("validation error %.2f %%, ", validation.asDouble()) : "",
        event.path("test_error").asDouble(), event.path("images_per_second").asDouble());
  }

  private static Map<String, Object> of(Sweep.Run run) {
    Map<String, Object> content = new LinkedHashMap<>();
    content.put("settings", run.combination().values());
    content.put("seed", run.seed());
    return content;
  }

  @Override
  public void kept(Sweep.Run run, TrainingResult result) {
    say("%s: already finished, test error %.2f %%", run, run.testError(result));
    finished(run, result);
  }

  @Override
  public synchronized void finished(Sweep.Run run, TrainingResult result) {
    if (json) {
      Map<String, Object> content = of(run);
      content.put("validation_error", run.validationError(result));
      content.put("test_error", run.testError(result));
      content.put("epochs", result.epochs());
      content.put("seconds", result.seconds());
      JsonLines.print(out, "run", content);
    }
  }

  @Override
  public synchronized void failed(Sweep.Run run, String reason) {
    PrintWriter errors = Quiet.errors(err);
    errors.printf("%s: failed: %s%n", run, reason);
    errors.flush();
    if (json) {
      Map<String, Object> content = of(run);
      content.put("reason", reason);
      JsonLines.print(out, "failed", content);
    }
  }
}

package dev.layerwise.cli;

import dev.layerwise.api.Model;
import dev.layerwise.serve.Limits;
import dev.layerwise.serve.Server;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Answers requests over HTTP with a model. */
@Command(
    name = "serve",
    description = {
      "Classifies and embeds images over HTTP: POST /predict and POST /embed take the bytes of one image, or JSON with several"
          + " in base64. GET /model describes the model, GET /health says whether the server takes requests, and GET /metrics"
          + " counts them for Prometheus.",
      "Images of concurrent requests are computed together. Another batch may change the last bits of an answer.",
      "Ctrl-C or SIGTERM stops the server when the requests under way have been answered. It asks for no password and does not"
          + " encrypt: for other machines, put it behind a server that does."
    })
final class ServeCommand implements Callable<Integer> {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final double MIB = 1 << 20;

  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path path;

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "8080",
      description = "TCP port to listen at; 0 takes any that is free. Default: ${DEFAULT-VALUE}.")
  private int port;

  @Option(
      names = "--host",
      paramLabel = "NAME",
      defaultValue = "127.0.0.1",
      description = "Name or address to listen at: 127.0.0.1 for programs on this machine only, 0.0.0.0 for all who reach it."
          + " Default: ${DEFAULT-VALUE}.")
  private String host;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "64",
      description = "Most images computed together. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Option(
      names = "--batch-wait",
      paramLabel = "MS",
      defaultValue = "2",
      description = "Milliseconds that an image waits for others that are on their way, to be computed with them."
          + " Default: ${DEFAULT-VALUE}.")
  private double batchWait;

  @Option(
      names = "--queue",
      paramLabel = "N",
      defaultValue = "256",
      description = "Most images of all requests under way; what exceeds them is refused with status 503."
          + " Default: ${DEFAULT-VALUE}.")
  private int queue;

  @Option(
      names = "--max-images",
      paramLabel = "N",
      defaultValue = "64",
      description = "Most images of one request. Default: ${DEFAULT-VALUE}.")
  private int maxImages;

  @Option(
      names = "--max-body",
      paramLabel = "MIB",
      defaultValue = "16",
      description = "Largest body of a request, in MiB. Default: ${DEFAULT-VALUE}.")
  private double maxBody;

  @Option(
      names = "--max-pixels",
      paramLabel = "N",
      defaultValue = "50000000",
      description = "Largest image before it is resized, in pixels. Default: ${DEFAULT-VALUE}.")
  private long maxPixels;

  @Option(names = DataOptions.NO_EXIF, description = DataOptions.NO_EXIF_DESCRIPTION + " Default: off.")
  private boolean noExif;

  @Spec private CommandSpec spec;

  private record Listening(String url, int port) {}

  /** @param unanswered requests that were given up */
  private record Stopped(long requests, long errors, int unanswered) {}

  @Override
  public Integer call() {
    Checks.range("--port", port, 0, 65535);
    Checks.range("--max-body", maxBody, 1 / MIB, 1024);
    Limits limits = new Limits(batchSize, batchWait, queue, maxImages, Math.round(maxBody * MIB), maxPixels);
    ResumeHint.requireModel(path);
    PrintWriter err = spec.commandLine().getErr();
    try (Model model = Model.open(path, new Model.Options(common.device(), 1, !noExif));
        Server server = new Server(model, host, port, limits, this::log)) {
      common.printInUse(model.device(), err);
      CountDownLatch stop = new CountDownLatch(1);
      return StopOnSignal.run(
          () -> {
            int active = server.active();
            String left = active == 0 ? "" : "answering " + active + (active == 1 ? " request" : " requests") + " under way, then ";
            err.println("layerwise: " + left + "stopping; press Ctrl-C again to stop at once");
            err.flush();
            stop.countDown();
          },
          () -> { },
          () -> {
            printListening(server);
            await(stop);
            int unanswered = server.stop(PATIENCE);
            printStopped(new Stopped(server.requests(), server.errors(), unanswered));
            return false;
          });
    }
  }

  private void log(String sentence) {
    PrintWriter errors = Quiet.errors(spec.commandLine().getErr());
    errors.println("layerwise: " + sentence);
    errors.flush();
  }

  private static void await(CountDownLatch stop) {
    try {
      stop.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // whoever runs the command ends it this way
    }
  }

  private void printListening(Server server) {
    PrintWriter out = spec.commandLine().getOut();
    if (common.json) {
      JsonLines.print(out, "listening", new Listening(server.url(), server.port()));
    } else {
      out.println("listening at " + server.url());
      out.flush();
    }
  }

  private void printStopped(Stopped stopped) {
    PrintWriter out = spec.commandLine().getOut();
    if (common.json) {
      JsonLines.print(out, "stopped", stopped);
    } else {
      String givenUp = stopped.unanswered() == 0 ? "" : "; gave up " + stopped.unanswered() + " after 30 seconds";
      out.printf("answered %d requests, %d of them with an error%s%n", stopped.requests(), stopped.errors(), givenUp);
      out.flush();
    }
  }
}

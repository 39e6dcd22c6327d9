package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import picocli.CommandLine;

/** Runs the command line in this process and keeps what it printed. */
record CommandLineRunner(int exitCode, String out, String err) {
  private static final ObjectMapper JSON = new ObjectMapper();

  static CommandLineRunner run(Object... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CommandLine commandLine = Main.commandLine().setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
    String[] words = new String[arguments.length];
    for (int i = 0; i < words.length; i++) {
      words[i] = arguments[i].toString();
    }
    int exitCode = commandLine.execute(words);
    return new CommandLineRunner(exitCode, out.toString(), err.toString());
  }

  /** Runs a command line whose words have spaces between them. */
  static CommandLineRunner line(String words) {
    return run((Object[]) words.trim().split(" +"));
  }

  /** The same; it must succeed. */
  static CommandLineRunner succeed(String words) {
    CommandLineRunner run = line(words);
    assertThat(run.exitCode).as(run.err).isZero();
    return run;
  }

  /** The lines of stdout as JSON objects. */
  List<JsonNode> events() {
    return out.lines().map(CommandLineRunner::parse).toList();
  }

  JsonNode lastEvent() {
    List<JsonNode> events = events();
    return events.get(events.size() - 1);
  }

  private static JsonNode parse(String line) {
    try {
      return JSON.readTree(line);
    } catch (JsonProcessingException e) {
      throw new AssertionError("not JSON: " + line, e);
    }
  }
}

package dev.layerwise.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.charset.Charset;

/**
 * Prints results. {@link System#out} and a {@link PrintWriter} do not keep the reason of a failed write, but a command used
 * in scripts must not report success then. If the reader has gone, as {@code head} does, the program ends at once and
 * quietly, as SIGPIPE would end it: Java ignores that signal.
 */
final class StandardOutput extends PrintWriter {
  /** The exit code that a shell reports for a process ended by SIGPIPE. */
  static final int CLOSED_PIPE = 128 + 13;

  private final Watched watched;

  /** Uses the encoding of the terminal, or of the locale if there is no terminal. */
  static StandardOutput open() {
    return new StandardOutput(
        new FileOutputStream(FileDescriptor.out), encoding(), () -> Runtime.getRuntime().halt(CLOSED_PIPE));
  }

  StandardOutput(OutputStream stream, Charset charset, Runnable readerGone) {
    this(new Watched(stream, readerGone), charset);
  }

  private StandardOutput(Watched watched, Charset charset) {
    super(new OutputStreamWriter(new BufferedOutputStream(watched), charset), true);
    this.watched = watched;
  }

  private static Charset encoding() {
    String name = System.getProperty("stdout.encoding", System.getProperty("sun.stdout.encoding"));
    return name == null ? Charset.forName(System.getProperty("native.encoding", "UTF-8")) : Charset.forName(name);
  }

  /** Writes the remaining output. Returns the first failure, now or before, or {@code null}. */
  IOException finish() {
    flush();
    return watched.failure;
  }

  /** The message that results cannot be written, with the reason. */
  static String failure(PrintWriter results) {
    IOException cause = results instanceof StandardOutput standard ? standard.watched.failure : null;
    return "cannot write the results to stdout" + (cause == null ? "" : ": " + cause.getMessage());
  }

  /** Remembers the first failure. */
  private static final class Watched extends OutputStream {
    private final OutputStream stream;
    private final Runnable readerGone;
    private IOException failure;

    Watched(OutputStream stream, Runnable readerGone) {
      this.stream = stream;
      this.readerGone = readerGone;
    }

    @Override
    public void write(int b) throws IOException {
      write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      try {
        stream.write(bytes, offset, length);
      } catch (IOException e) {
        failure = failure == null ? e : failure;
        if ("Broken pipe".equals(e.getMessage())) { // strerror's text; Java does not pass on the error number
          readerGone.run();
        }
        throw e;
      }
    }
  }
}

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
 * Where results are printed. {@link System#out} and a {@link PrintWriter} forget why a write failed; a program that is
 * used in scripts must not report success then.
 */
final class StandardOutput {
  private final PrintWriter writer;
  private IOException failure;

  /** In the encoding of the terminal, or of the locale where there is none. */
  StandardOutput() {
    this(new FileOutputStream(FileDescriptor.out), encoding());
  }

  StandardOutput(OutputStream stream, Charset charset) {
    OutputStream watched =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
          }

          @Override
          public void write(byte[] bytes, int offset, int length) throws IOException {
            try {
              stream.write(bytes, offset, length);
            } catch (IOException e) {
              failure = e;
              throw e;
            }
          }
        };
    writer = new PrintWriter(new OutputStreamWriter(new BufferedOutputStream(watched), charset), true);
  }

  private static Charset encoding() {
    String name = System.getProperty("stdout.encoding", System.getProperty("sun.stdout.encoding"));
    return name == null ? Charset.forName(System.getProperty("native.encoding", "UTF-8")) : Charset.forName(name);
  }

  PrintWriter writer() {
    return writer;
  }

  /** Writes what is left. What went wrong, now or before; {@code null}: nothing. */
  IOException finish() {
    writer.flush();
    return failure;
  }
}

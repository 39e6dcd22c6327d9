package dev.layerwise;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** A client that sends the second half of its body when it is told to. */
public final class HalfRequest implements AutoCloseable {
  private final Socket socket;
  private final OutputStream out;
  private final byte[] body;

  /** Sends the headers and the first half. */
  public HalfRequest(int port, String path, byte[] body) throws IOException {
    this.body = body;
    socket = new Socket(InetAddress.getLoopbackAddress(), port);
    out = socket.getOutputStream();
    String head = "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " + body.length + "\r\n\r\n";
    out.write(head.getBytes(StandardCharsets.US_ASCII));
    out.write(body, 0, body.length / 2);
    out.flush();
  }

  /** Sends the rest, and reads the whole answer, with its headers. */
  public String finish() throws IOException {
    out.write(Arrays.copyOfRange(body, body.length / 2, body.length));
    out.flush();
    return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}

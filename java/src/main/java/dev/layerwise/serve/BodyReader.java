package dev.layerwise.serve;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** Reads the encoded images of a request's body: one as it is, or several in base64 as JSON. */
final class BodyReader {
  private static final String JSON_FORM = "{\"images\": [\"<base64>\", …]}";
  private static final String ACCEPTED =
      "send an image's bytes as image/png, image/jpeg or application/octet-stream, or " + JSON_FORM + " as application/json";
  /** Types of bodies that are taken as an image's bytes. The last is what curl says unless it is told otherwise. */
  private static final Set<String> BYTES = Set.of("", "application/octet-stream", "application/x-www-form-urlencoded");

  private final Limits limits;
  private final JsonFactory json;

  BodyReader(Limits limits) {
    this.limits = limits;
    json =
        JsonFactory.builder()
            .disable(StreamReadFeature.AUTO_CLOSE_SOURCE) // what follows an error is still read, see Server
            // The body's size is limited already.
            .streamReadConstraints(StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).build()).build();
  }

  /** Throws when more is read than a body may have. */
  private static final class Limited extends FilterInputStream {
    private long left;

    Limited(InputStream in, long most) {
      super(in);
      left = most;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      int count = super.read(target, offset, length);
      left -= Math.max(count, 0);
      if (left < 0) {
        throw new TooLargeException();
      }
      return count;
    }
  }

  /** A body that is larger than it may be. */
  private static final class TooLargeException extends IOException {
    private static final long serialVersionUID = 1L;
  }

  /**
   * Reads a body.
   *
   * @param type the header Content-Type; may be null
   * @param length that the headers promise; -1 if they do not say
   * @return at least one image, as it was encoded
   * @throws RequestException if the body is too large, or is none of the forms
   * @throws IOException if the client has gone away
   */
  List<byte[]> read(InputStream body, String type, long length) throws IOException, RequestException {
    String media = type == null ? "" : type.replaceFirst(";.*", "").strip().toLowerCase(Locale.ROOT);
    boolean isJson = media.equals("application/json");
    if (!isJson && !BYTES.contains(media) && !media.startsWith("image/")) {
      throw new RequestException(415, "bodies of the type " + shortened(media) + " are not read; " + ACCEPTED);
    }
    if (length > limits.maxBody()) {
      throw tooLarge();
    }
    try {
      InputStream limited = new Limited(body, limits.maxBody());
      return isJson ? readJson(limited) : List.of(readBytes(limited));
    } catch (TooLargeException e) {
      throw tooLarge();
    }
  }

  private RequestException tooLarge() {
    return new RequestException(413, "the body is larger than " + limits.maxBody() + " bytes, the most that this server takes");
  }

  private static byte[] readBytes(InputStream body) throws IOException, RequestException {
    byte[] encoded = body.readAllBytes();
    if (encoded.length == 0) {
      throw new RequestException(400, "the body is empty; " + ACCEPTED);
    }
    return encoded;
  }

  private List<byte[]> readJson(InputStream body) throws IOException, RequestException {
    try (JsonParser parser = json.createParser(body)) {
      if (parser.nextToken() != JsonToken.START_OBJECT || parser.nextToken() != JsonToken.FIELD_NAME) {
        throw new RequestException(400, "the body must be a JSON object of the form " + JSON_FORM);
      }
      String name = parser.currentName();
      if (!name.equals("images") || parser.nextToken() != JsonToken.START_ARRAY) {
        throw new RequestException(400, "the field " + shortened(name) + " is not a list of images; the form is " + JSON_FORM);
      }
      List<byte[]> images = readImages(parser);
      if (parser.nextToken() != JsonToken.END_OBJECT || parser.nextToken() != null) {
        throw new RequestException(400, "nothing may follow the list of images; the form is " + JSON_FORM);
      }
      return images;
    } catch (JsonProcessingException e) {
      JsonLocation at = e.getLocation();
      String place = at == null ? "" : " (line " + at.getLineNr() + ", column " + at.getColumnNr() + ")";
      throw new RequestException(400, "the body is not valid JSON" + place);
    }
  }

  private List<byte[]> readImages(JsonParser parser) throws IOException, RequestException {
    List<byte[]> images = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      if (images.size() == limits.maxImages()) {
        throw new RequestException(
            413, "the request has more than " + limits.maxImages() + " images, the most that this server takes at a time");
      }
      images.add(readBase64(parser, images.size()));
    }
    if (images.isEmpty()) {
      throw new RequestException(400, "the list of images is empty");
    }
    return images;
  }

  private static byte[] readBase64(JsonParser parser, int position) throws IOException, RequestException {
    ByteArrayOutputStream decoded = new ByteArrayOutputStream();
    try {
      if (parser.currentToken() == JsonToken.VALUE_STRING) {
        parser.readBinaryValue(decoded);
        return decoded.toByteArray();
      }
    } catch (JsonProcessingException | IllegalArgumentException e) {
      // Said below.
    }
    throw new RequestException(400, "images[" + position + "] is not a string in base64");
  }

  /** What a client sent, for an answer. */
  static String shortened(String text) {
    return "'" + (text.length() > 40 ? text.substring(0, 40) + "…" : text) + "'";
  }
}

package dev.layerwise.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.layerwise.files.FileException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The JSON header of a safetensors file, checked.
 *
 * @param metadata the {@code __metadata__} object; empty if there is none
 * @param entries one per tensor, in the header's order
 */
record SafeTensorsHeader(Map<String, String> metadata, List<Entry> entries) {
  private static final String METADATA = "__metadata__";
  /** PyTorch's own limit; keeps a hostile header from becoming a far larger list. */
  private static final int MAX_RANK = 64;
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  /**
   * Where a tensor lies.
   *
   * @param begin first byte, counted from the end of the header
   * @param end the byte after the last
   */
  record Entry(String name, ElementType type, long[] shape, long begin, long end) {}

  /**
   * Reads a header.
   *
   * @param dataBytes length of the file behind the header, which the tensors must fill without gap or overlap
   * @throws FileException if anything is not as the format wants it
   */
  static SafeTensorsHeader parse(Path path, byte[] header, long dataBytes) {
    if (header[0] != '{') {
      throw new FileException(path + " is not a safetensors file: its header does not begin with '{'.");
    }
    try (JsonParser parser = JSON.createParser(new InputStreamReader(
        new ByteArrayInputStream(header), StandardCharsets.UTF_8.newDecoder()))) {
      SafeTensorsHeader parsed = new Parser(path, parser).parse();
      parsed.checkPlaces(path, dataBytes);
      return parsed;
    } catch (JsonProcessingException e) {
      throw new FileException(path + " is damaged: its header is not valid (" + e.getOriginalMessage() + ").", e);
    } catch (IOException e) {
      throw new FileException(path + " is damaged: its header is not valid UTF-8.", e);
    }
  }

  private void checkPlaces(Path path, long dataBytes) {
    long position = 0;
    for (Entry entry : inFileOrder(entries)) {
      long elements = HostTensor.elements(entry.shape());
      if (elements < 0 || elements > Integer.MAX_VALUE / entry.type().bytes()) {
        throw damaged(path, entry.name(), "has the impossible shape " + Arrays.toString(entry.shape()));
      }
      if (entry.begin() != position) {
        throw damaged(path, entry.name(), "begins at byte " + entry.begin() + ", where the one before it ends at "
            + position);
      }
      if (entry.end() - entry.begin() != elements * entry.type().bytes()) {
        throw damaged(path, entry.name(), "of type " + entry.type() + " and shape " + Arrays.toString(entry.shape())
            + " does not fit its place from byte " + entry.begin() + " to " + entry.end());
      }
      position = entry.end();
      if (position > dataBytes) {
        throw damaged(path, entry.name(), "ends at byte " + position + ", but only " + dataBytes + " are there: "
            + "the file is cut off");
      }
    }
    if (position != dataBytes) {
      throw new FileException(path + " is damaged: its tensors have " + position + " bytes, but " + dataBytes
          + " follow the header.");
    }
  }

  private static FileException damaged(Path path, String tensor, String what) {
    return new FileException(path + " is damaged: tensor '" + tensor + "' " + what + ".");
  }

  /** The entries by place; empty tensors come before what begins at the same byte. */
  static List<Entry> inFileOrder(List<Entry> entries) {
    return entries.stream().sorted(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end)).toList();
  }

  /** The JSON text, not padded. */
  static byte[] format(Path path, Map<String, String> metadata, List<Entry> entries) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(METADATA);
        for (Map.Entry<String, String> item : metadata.entrySet()) {
          json.writeStringField(unicode(path, item.getKey()), unicode(path, item.getValue()));
        }
        json.writeEndObject();
      }
      for (Entry entry : entries) {
        if (entry.name().equals(METADATA)) {
          throw new FileException("Cannot write " + path + ": a tensor cannot be named '" + METADATA + "'.");
        }
        json.writeObjectFieldStart(unicode(path, entry.name()));
        json.writeStringField("dtype", entry.type().name());
        json.writeFieldName("shape");
        json.writeArray(entry.shape(), 0, entry.shape().length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {entry.begin(), entry.end()}, 0, 2);
        json.writeEndObject();
      }
      json.writeEndObject();
    } catch (IOException e) {
      throw new FileException("Cannot write " + path + ": its header is not possible as JSON.", e);
    }
    return bytes.toByteArray();
  }

  /** The text itself; a lone surrogate has no UTF-8 form and would make a file that nobody can read. */
  private static String unicode(Path path, String text) {
    if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
      throw new FileException("Cannot write " + path + ": a name or metadata value is not valid Unicode.");
    }
    return text;
  }

  /** Walks the header once; keeps nothing that the result does not need. */
  private record Parser(Path path, JsonParser json) {
    SafeTensorsHeader parse() throws IOException {
      Map<String, String> metadata = new LinkedHashMap<>();
      List<Entry> entries = new ArrayList<>();
      expect(json.nextToken() == JsonToken.START_OBJECT, "it is not an object");
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName();
        expect(json.nextToken() == JsonToken.START_OBJECT, "'" + name + "' is not an object");
        if (name.equals(METADATA)) {
          parseMetadata(metadata);
        } else {
          entries.add(parseEntry(name));
        }
      }
      expect(json.nextToken() == null, "something follows it");
      return new SafeTensorsHeader(metadata, entries);
    }

    private void parseMetadata(Map<String, String> metadata) throws IOException {
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        expect(json.nextToken() == JsonToken.VALUE_STRING, "'" + key + "' in " + METADATA + " is not a string");
        metadata.put(key, json.getText());
      }
    }

    private Entry parseEntry(String name) throws IOException {
      ElementType type = null;
      long[] shape = null;
      long[] offsets = null;
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String field = json.currentName();
        json.nextToken();
        switch (field) {
          case "dtype" -> type = elementType(name);
          case "shape" -> shape = numbers(name, field);
          case "data_offsets" -> offsets = numbers(name, field);
          default -> throw damaged(path, name, "has the unknown field '" + field + "'");
        }
      }
      if (type == null || shape == null || offsets == null) {
        throw damaged(path, name, "lacks its dtype, shape or data_offsets");
      }
      if (offsets.length != 2) {
        throw damaged(path, name, "has " + offsets.length + " data_offsets instead of two");
      }
      return new Entry(name, type, shape, offsets[0], offsets[1]);
    }

    private ElementType elementType(String tensor) throws IOException {
      String text = json.getText();
      return Arrays.stream(ElementType.values()).filter(type -> type.name().equals(text)).findFirst()
          .orElseThrow(() -> new FileException(path + " cannot be used: tensor '" + tensor + "' has the type "
              + text + ", where " + Arrays.toString(ElementType.values()) + " are supported."));
    }

    /** An array of integers, none negative. */
    private long[] numbers(String tensor, String field) throws IOException {
      List<Long> numbers = new ArrayList<>();
      boolean valid = json.currentToken() == JsonToken.START_ARRAY;
      while (valid && json.nextToken() != JsonToken.END_ARRAY) {
        valid = json.currentToken() == JsonToken.VALUE_NUMBER_INT && json.getLongValue() >= 0
            && numbers.size() < MAX_RANK;
        if (valid) {
          numbers.add(json.getLongValue());
        }
      }
      if (!valid) {
        throw damaged(path, tensor, "has a " + field + " that is not a list of at most " + MAX_RANK
            + " whole numbers, none negative");
      }
      return numbers.stream().mapToLong(Long::longValue).toArray();
    }

    private void expect(boolean holds, String otherwise) {
      if (!holds) {
        throw new FileException(path + " is damaged: its header is not valid (" + otherwise + ").");
      }
    }
  }
}

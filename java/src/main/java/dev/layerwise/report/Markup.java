package dev.layerwise.report;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Writes HTML that is well-formed XML as well: elements nest, everything that is not markup is escaped. Attributes are
 * given as name, value, name, value.
 */
final class Markup {
  private final StringBuilder text = new StringBuilder();
  private final Deque<String> open = new ArrayDeque<>();

  Markup() {
    text.append("<!DOCTYPE html>\n");
  }

  Markup open(String element, String... attributes) {
    startTag(element, attributes);
    text.append('>');
    open.push(element);
    return this;
  }

  /** Ends the element that was opened last. */
  Markup close() {
    text.append("</").append(open.pop()).append(">\n");
    return this;
  }

  /** An element without content. */
  Markup empty(String element, String... attributes) {
    startTag(element, attributes);
    text.append("/>");
    return this;
  }

  /** An element that holds nothing but words. */
  Markup element(String element, String content, String... attributes) {
    return open(element, attributes).text(content).close();
  }

  Markup text(String content) {
    escape(content);
    return this;
  }

  /** The page; all elements must be closed. */
  String finish() {
    if (!open.isEmpty()) {
      throw new IllegalStateException("not closed: " + open);
    }
    return text.toString();
  }

  private void startTag(String element, String[] attributes) {
    text.append('<').append(element);
    for (int i = 0; i < attributes.length; i += 2) {
      text.append(' ').append(attributes[i]).append("=\"");
      escape(attributes[i + 1]);
      text.append('"');
    }
  }

  private void escape(String content) {
    for (int i = 0; i < content.length(); i++) {
      char c = content.charAt(i);
      switch (c) {
        case '<' -> text.append("&lt;");
        case '>' -> text.append("&gt;");
        case '&' -> text.append("&amp;");
        case '"' -> text.append("&quot;");
        default -> text.append(isAllowed(content, i) ? c : '\uFFFD');
      }
    }
  }

  /** XML knows no control characters but these, and no half of a surrogate pair. */
  private static boolean isAllowed(String content, int at) {
    char c = content.charAt(at);
    if (Character.isHighSurrogate(c)) {
      return at + 1 < content.length() && Character.isLowSurrogate(content.charAt(at + 1));
    }
    if (Character.isLowSurrogate(c)) {
      return at > 0 && Character.isHighSurrogate(content.charAt(at - 1));
    }
    return c >= ' ' && c < '\uFFFE' || c == '\n' || c == '\t';
  }
}

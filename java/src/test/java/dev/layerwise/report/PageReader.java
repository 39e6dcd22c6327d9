package dev.layerwise.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** Reads a page as XML, so that one that is not well-formed fails. */
final class PageReader {
  private final Document document;

  PageReader(String html) {
    try {
      InputSource source = new InputSource(new StringReader(html));
      document = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(source);
    } catch (Exception e) {
      throw new AssertionError("the page is not well-formed", e);
    }
  }

  List<Element> elements(String name) {
    return elements(document.getElementsByTagName(name));
  }

  static List<Element> elements(Element within, String name) {
    return elements(within.getElementsByTagName(name));
  }

  private static List<Element> elements(NodeList nodes) {
    List<Element> elements = new ArrayList<>();
    for (int i = 0; i < nodes.getLength(); i++) {
      elements.add((Element) nodes.item(i));
    }
    return elements;
  }

  String text() {
    return document.getDocumentElement().getTextContent();
  }

  /** The cells of the first table whose caption begins so, headings included. */
  List<List<String>> table(String caption) {
    Element found =
        elements("table").stream()
            .filter(table -> elements(table, "caption").get(0).getTextContent().startsWith(caption))
            .findFirst()
            .orElseThrow(() -> new AssertionError("no table " + caption));
    List<List<String>> rows = new ArrayList<>();
    for (Element row : elements(found, "tr")) {
      List<String> cells = new ArrayList<>();
      for (Node cell = row.getFirstChild(); cell != null; cell = cell.getNextSibling()) {
        if (cell instanceof Element) {
          cells.add(cell.getTextContent().strip().replaceAll("[ \n]+", " "));
        }
      }
      rows.add(cells);
    }
    assertThat(rows).as("rows of " + caption).isNotEmpty();
    return rows;
  }

  /** The row of such a table that begins with a heading. */
  List<String> row(String caption, String heading) {
    return table(caption).stream()
        .filter(row -> row.get(0).equals(heading))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no row " + heading + " in " + table(caption)));
  }
}

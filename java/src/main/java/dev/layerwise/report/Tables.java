package dev.layerwise.report;

import java.util.List;

/** Tables with a caption and headings for rows and columns; wide ones scroll, by keyboard too. */
final class Tables {
  private Tables() {}

  /** A table of words; a row's first one is its heading. */
  static void write(Markup page, String caption, List<String> headings, List<List<String>> rows) {
    open(page, caption, "data");
    writeHeadings(page, headings);
    page.open("tbody");
    for (List<String> row : rows) {
      page.open("tr").element("th", row.get(0), "scope", "row");
      row.stream().skip(1).forEach(cell -> page.element("td", cell));
      page.close();
    }
    page.close();
    close(page);
  }

  /** The same, folded away. */
  static void writeFolded(
      Markup page, String summary, String caption, List<String> headings, List<List<String>> rows) {
    page.open("details").element("summary", summary);
    write(page, caption, headings, rows);
    page.close();
  }

  /** Begins a table, whose head and body are the caller's. */
  static void open(Markup page, String caption, String style) {
    page.open("div", "class", "scroll", "tabindex", "0", "role", "region", "aria-label", caption);
    page.open("table", "class", style).element("caption", caption);
  }

  static void writeHeadings(Markup page, List<String> headings) {
    page.open("thead").open("tr");
    headings.forEach(heading -> page.element("th", heading, "scope", "col"));
    page.close().close();
  }

  /** Begins the heading of a run's row, which the caller closes. */
  static void openRunCell(Markup page, int number, Run run) {
    page.open("th", "scope", "row");
    Figures.writeKey(page, Figures.key(number, run));
    page.text((number + 1) + " ").element("span", run.name());
  }

  /** A cell that repeats its column's heading where the table is shown as cards. */
  static void writeCell(Markup page, String heading, String content) {
    page.element("td", content, "data-label", heading);
  }

  static void close(Markup page) {
    page.close().close();
  }
}

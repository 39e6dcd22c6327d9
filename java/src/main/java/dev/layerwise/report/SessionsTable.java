package dev.layerwise.report;

import dev.layerwise.run.Session;
import java.util.List;

/** When, where and by which command runs were trained. */
final class SessionsTable {
  private static final List<String> HEADINGS = List.of("Run", "Started (UTC)", "Machine", "Command", "Version");

  private SessionsTable() {}

  static void write(Markup page, List<Run> runs) {
    if (runs.stream().allMatch(run -> run.sessions().isEmpty())) {
      page.element("p", "When, where and by which command these runs were trained was not recorded.");
      return;
    }
    Tables.open(page, "When, where and by which command the runs were trained", "data cards sessions");
    Tables.writeHeadings(page, HEADINGS);
    page.open("tbody");
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      if (run.sessions().isEmpty()) {
        writeRow(page, i, run, new Session("not recorded", null, null, null));
      }
      for (Session session : run.sessions()) {
        writeRow(page, i, run, session);
      }
    }
    page.close();
    Tables.close(page);
  }

  /** The day and the minute, such as 2026-05-04 09:30; what is no time of ISO 8601 stays as it is. */
  static String time(Session session) {
    String text = session.started();
    return text.matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d.*") ? text.substring(0, 10) + " " + text.substring(11, 16) : text;
  }

  private static void writeRow(Markup page, int number, Run run, Session session) {
    page.open("tr");
    Tables.openRunCell(page, number, run);
    page.close();
    Tables.writeCell(page, HEADINGS.get(1), time(session));
    Tables.writeCell(page, HEADINGS.get(2), orDash(session.machine()));
    page.open("td", "data-label", HEADINGS.get(3)).element("code", orDash(session.command())).close();
    Tables.writeCell(page, HEADINGS.get(4), orDash(session.version()));
    page.close();
  }

  private static String orDash(String text) {
    return text == null ? "–" : text;
  }
}

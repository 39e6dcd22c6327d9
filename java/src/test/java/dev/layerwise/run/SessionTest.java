package dev.layerwise.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SessionTest {
  @TempDir private Path folder;

  @Test
  void sessionsAreListedInTheirOrder() {
    assertThat(RunDirectory.sessions(folder)).isEmpty();
    try (RunDirectory run = RunDirectory.open(folder)) {
      Instant before = Instant.now();
      run.addSession("layerwise train --epochs 3", "cpu");
      run.addSession(null, "cpu");
      List<Session> sessions = RunDirectory.sessions(folder);
      assertThat(sessions).extracting(Session::command).containsExactly("layerwise train --epochs 3", null);
      assertThat(Instant.parse(sessions.get(0).started())).isBetween(before.minusSeconds(1), before.plus(Duration.ofHours(1)));
      assertThat(sessions.get(0).machine()).endsWith(Runtime.getRuntime().availableProcessors() + " threads");
      run.removeSessions();
      assertThat(RunDirectory.sessions(folder)).isEmpty();
    }
  }
}

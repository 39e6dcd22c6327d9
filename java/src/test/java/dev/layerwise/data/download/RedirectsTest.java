package dev.layerwise.data.download;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import org.junit.jupiter.api.Test;

class RedirectsTest {
  private static final URI SAFE = URI.create("https://data.example/a/file");
  private static final URI PLAIN = URI.create("http://data.example/a/file");

  @Test
  void whereTheyMayLead() {
    assertThat(Redirects.follow(SAFE, "https://other.example/file")).hasToString("https://other.example/file");
    assertThat(Redirects.follow(SAFE, "other")).hasToString("https://data.example/a/other");
    assertThat(Redirects.follow(PLAIN, "https://data.example/file")).hasToString("https://data.example/file");
    assertThat(Redirects.follow(PLAIN, "http://other.example/file")).hasToString("http://other.example/file");
  }

  @Test
  void encryptionIsNotGivenUp() {
    assertThatThrownBy(() -> Redirects.follow(SAFE, "http://data.example/a/file"))
        .isInstanceOf(DownloadException.class).message().contains("from https to unencrypted", "try a mirror");
  }

  @Test
  void whereTheyMayNotLead() {
    for (String location : new String[] {"file:///etc/passwd", "ftp://data.example/file", "http:///file"}) {
      assertThatThrownBy(() -> Redirects.follow(PLAIN, location)).as(location)
          .isInstanceOf(DownloadException.class).hasMessageContaining("not a");
    }
    assertThatThrownBy(() -> Redirects.follow(PLAIN, "http://a b/")).isInstanceOf(DownloadException.class);
  }
}

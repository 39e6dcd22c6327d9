package dev.layerwise.data.download;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetSocketAddress;
import java.net.ProxySelector;
import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EnvironmentProxiesTest {
  private static final URI HTTP = URI.create("http://data.example/file");
  private static final URI HTTPS = URI.create("https://data.example/file");

  @Test
  void eachSchemeHasItsOwn() {
    EnvironmentProxies proxies = proxies(Map.of("http_proxy", "http://one:3128", "HTTPS_PROXY", "two:8080/"));
    assertThat(proxies.describe(HTTP)).contains("one:3128");
    assertThat(proxies.describe(HTTPS)).contains("two:8080");
    assertThat(proxies.authorization(HTTP)).isEmpty();
  }

  @Test
  void oneForAll() {
    EnvironmentProxies proxies = proxies(Map.of("http_proxy", "", "all_proxy", "http://all"));
    assertThat(proxies.describe(HTTP)).contains("all:80");
    assertThat(proxies.describe(HTTPS)).contains("all:80");
  }

  @Test
  void none() {
    assertThat(proxies(Map.of()).describe(HTTP)).isEmpty();
    assertThat(proxies(Map.of("http_proxy", "http://one:3128")).describe(HTTPS)).isEmpty();
  }

  @Test
  void hostsThatAreReachedDirectly() {
    for (String list : new String[] {"*", "data.example", "other, data.example", ".example", "example", "*.example",
        "DATA.example:80"}) {
      assertThat(proxies(Map.of("http_proxy", "http://one:3128", "no_proxy", list)).describe(HTTP)).as(list).isEmpty();
    }
    for (String list : new String[] {"", "ta.example", "data", "data.example:443", "data.example.org", ","}) {
      assertThat(proxies(Map.of("http_proxy", "http://one:3128", "no_proxy", list)).describe(HTTP)).as(list)
          .contains("one:3128");
    }
  }

  @Test
  void javaSettingsGoFirst() {
    ProxySelector java = ProxySelector.of(InetSocketAddress.createUnresolved("java", 1));
    assertThat(new EnvironmentProxies(Map.of("http_proxy", "http://one:3128"), java).describe(HTTP)).contains("java:1");
  }

  @Test
  void whatIsNotAnHttpProxy() {
    for (String value : new String[] {"socks5://one:1080", "http://", "http://user:secret@a b", "http:///"}) {
      assertThatThrownBy(() -> proxies(Map.of("http_proxy", value)).describe(HTTP)).as(value)
          .isInstanceOf(DownloadException.class).message().contains("http_proxy").doesNotContain("secret");
    }
  }

  private static EnvironmentProxies proxies(Map<String, String> environment) {
    return new EnvironmentProxies(environment, null);
  }
}

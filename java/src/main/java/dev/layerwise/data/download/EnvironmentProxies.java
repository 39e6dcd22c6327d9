package dev.layerwise.data.download;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.SocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Proxies as users have them set: first Java's own (https.proxyHost and its relatives), then the variables that other
 * programs follow, http_proxy, https_proxy, all_proxy and no_proxy, in small or capital letters.
 */
final class EnvironmentProxies extends ProxySelector {
  private static final List<Proxy> DIRECT = List.of(Proxy.NO_PROXY);

  private final Map<String, String> environment;
  private final ProxySelector javaSettings;

  /**
   * A selector.
   *
   * @param javaSettings what goes first; null if there is nothing
   */
  EnvironmentProxies(Map<String, String> environment, ProxySelector javaSettings) {
    this.environment = environment;
    this.javaSettings = javaSettings;
  }

  @Override
  public List<Proxy> select(URI uri) {
    List<Proxy> fromJava = javaSettings == null ? DIRECT : javaSettings.select(uri);
    if (fromJava.stream().anyMatch(proxy -> proxy.type() != Proxy.Type.DIRECT)) {
      return fromJava;
    }
    return proxy(uri).map(proxy -> List.of(new Proxy(Proxy.Type.HTTP,
        InetSocketAddress.createUnresolved(proxy.getHost(), port(proxy))))).orElse(DIRECT);
  }

  @Override
  public void connectFailed(URI uri, SocketAddress address, IOException failure) {
    // There is no second proxy to try.
  }

  /** The value of the header Proxy-Authorization, where the proxy's address in the environment has a password. */
  Optional<String> authorization(URI uri) {
    return proxy(uri).filter(proxy -> proxy.getUserInfo() != null).map(proxy -> "Basic "
        + Base64.getEncoder().encodeToString(proxy.getUserInfo().getBytes(StandardCharsets.UTF_8)));
  }

  /** The proxy that is used for an address, as "HOST:PORT"; empty if none is. */
  Optional<String> describe(URI uri) {
    return select(uri).stream().filter(proxy -> proxy.address() instanceof InetSocketAddress)
        .map(proxy -> (InetSocketAddress) proxy.address())
        .map(address -> address.getHostString() + ":" + address.getPort()).findFirst();
  }

  private Optional<URI> proxy(URI uri) {
    if (isExcluded(uri)) {
      return Optional.empty();
    }
    String scheme = uri.getScheme().toLowerCase(Locale.ROOT);
    return variable(scheme + "_proxy").or(() -> variable("all_proxy")).map(value -> parse(scheme + "_proxy", value));
  }

  private static URI parse(String variable, String value) {
    URI proxy;
    try {
      proxy = URI.create(value.contains("://") ? value : "http://" + value);
    } catch (IllegalArgumentException e) {
      throw new DownloadException("The proxy in " + variable + " or all_proxy is not an address such as "
          + "http://HOST:PORT; correct it.", e);
    }
    if (proxy.getHost() == null || !"http".equalsIgnoreCase(proxy.getScheme())) {
      throw new DownloadException("The proxy in " + variable + " or all_proxy is not an HTTP proxy such as "
          + "http://HOST:PORT; correct it, or set no_proxy.");
    }
    return proxy;
  }

  private static int port(URI proxy) {
    return proxy.getPort() < 0 ? 80 : proxy.getPort();
  }

  /** Whether no_proxy has the host, a domain that it is in, or "*"; each may carry a port. */
  private boolean isExcluded(URI uri) {
    String host = uri.getHost().toLowerCase(Locale.ROOT);
    int port = uri.getPort() >= 0 ? uri.getPort() : "https".equalsIgnoreCase(uri.getScheme()) ? 443 : 80;
    for (String listed : variable("no_proxy").orElse("").toLowerCase(Locale.ROOT).split("[,\\s]+")) {
      String name = listed;
      if (name.endsWith(":" + port)) {
        name = name.substring(0, name.lastIndexOf(':'));
      }
      name = name.startsWith("*.") ? name.substring(2) : name.startsWith(".") ? name.substring(1) : name;
      if (!name.isEmpty() && (name.equals("*") || host.equals(name) || host.endsWith("." + name))) {
        return true;
      }
    }
    return false;
  }

  /** An environment variable; empty counts as unset. */
  private Optional<String> variable(String name) {
    return Optional.ofNullable(environment.get(name)).filter(value -> !value.isEmpty())
        .or(() -> Optional.ofNullable(environment.get(name.toUpperCase(Locale.ROOT))))
        .filter(value -> !value.isEmpty());
  }
}

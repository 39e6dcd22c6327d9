package dev.layerwise;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The packages depend on each other as docs/architecture.md draws it. */
class PackagesTest {
  private static final String ROOT = "dev.layerwise.";
  private static final Path PAGE = Path.of("..", "docs", "architecture.md");
  private static final String HEADINGS = "| package | holds | uses |";
  private static final Pattern ROW = Pattern.compile("\\| `([a-z.]+)` \\| [^|]* \\| (.*) \\|");
  private static final Pattern NAME = Pattern.compile("`([a-z.]+)`");

  /** The table: each package, in its order, with those that it uses. */
  private static Map<String, Set<String>> drawn() throws IOException {
    Map<String, Set<String>> table = new LinkedHashMap<>();
    List<String> lines = Files.readAllLines(PAGE);
    for (String line : lines.subList(lines.indexOf(HEADINGS) + 2, lines.size())) {
      Matcher row = ROW.matcher(line);
      if (!row.matches()) {
        break;
      }
      Set<String> used = new TreeSet<>();
      NAME.matcher(row.group(2)).results().forEach(name -> used.add(name.group(1)));
      table.put(row.group(1), used);
    }
    return table;
  }

  /** The same of the code. All may use the few classes of the package that holds the others. */
  private static Map<String, Set<String>> actual() {
    Map<String, Set<String>> packages = new TreeMap<>();
    for (JavaClass type : new ClassFileImporter().importUrl(
        LayerwiseException.class.getProtectionDomain().getCodeSource().getLocation())) {
      String from = name(type);
      if (from != null) {
        Set<String> used = packages.computeIfAbsent(from, name -> new TreeSet<>());
        for (Dependency dependency : type.getDirectDependenciesFromSelf()) {
          String to = name(dependency.getTargetClass());
          if (to != null && !to.equals(from)) {
            used.add(to);
          }
        }
      }
    }
    return packages;
  }

  /** {@code null}: not one of the packages. Generated bindings are a part of theirs. */
  private static String name(JavaClass type) {
    String name = type.getPackageName().replaceFirst("\\.generated$", "");
    return name.startsWith(ROOT) ? name.substring(ROOT.length()) : null;
  }

  @Test
  void theTableOfPackagesIsTrue() throws IOException {
    assertThat(actual()).isEqualTo(new TreeMap<>(drawn()));
  }

  @Test
  void eachUsesOnlyPackagesFurtherDown() throws IOException {
    Map<String, Set<String>> drawn = drawn();
    List<String> order = new ArrayList<>(drawn.keySet());
    drawn.forEach(
        (name, used) -> assertThat(order.subList(order.indexOf(name) + 1, order.size())).as(name).containsAll(used));
  }

  @Test
  void everyPackageSaysWhatItHolds() throws IOException {
    for (String name : drawn().keySet()) {
      assertThat(Path.of("src/main/java/dev/layerwise", name.replace('.', '/'), "package-info.java")).isRegularFile();
    }
  }
}

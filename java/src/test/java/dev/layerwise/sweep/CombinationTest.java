package dev.layerwise.sweep;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.settings.SettingsException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CombinationTest {
  private static List<String> values(String grid) {
    return Combination.of(List.of(grid), List.of(), 1, 1).stream()
        .map(combination -> combination.values().values().iterator().next())
        .toList();
  }

  @Test
  void aGridIsEveryValueWithEveryOther() {
    assertThat(Combination.of(List.of("lr=1e-3,2e-3", "loss=sim,pred"), List.of(), 1, 1).stream().map(Object::toString))
        .containsExactly("lr=1e-3, loss=sim", "lr=1e-3, loss=pred", "lr=2e-3, loss=sim", "lr=2e-3, loss=pred");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "epochs=5:20:5          | 5 10 15 20",
    "dropout=0:0.3:0.1      | 0 0.1 0.2 0.3",
    "lr=log:1e-4:1e-2:3     | 0.0001 0.001 0.01",
    "freeze-after=4,6;auto  | 4,6 auto",
    "lr-decay-milestones=3,5; | 3,5",
    "device=cuda:0,cuda:1   | cuda:0 cuda:1",
    "lr=1e-3, 1e-3          | 1e-3",
  })
  void listsAndRanges(String grid, String expected) {
    assertThat(values(grid)).containsExactly(expected.split(" "));
  }

  @Test
  void samplesLieWhereTheyShould() {
    List<Combination> all =
        Combination.of(List.of(), List.of("lr=log:1e-4:1e-2", "dropout=uniform:0:0.5", "num_layers=int:1:3", "loss=sim,pred"), 200, 5);
    assertThat(all).hasSize(200).allSatisfy(combination -> {
      assertThat(Double.parseDouble(combination.values().get("lr"))).isBetween(1e-4, 1e-2);
      assertThat(Double.parseDouble(combination.values().get("dropout"))).isBetween(0.0, 0.5);
    });
    assertThat(all.stream().filter(one -> Double.parseDouble(one.values().get("lr")) < 1e-3).count())
        .as("by the logarithm, half are below the middle").isBetween(70L, 130L);
    assertThat(all.stream().map(one -> one.values().get("num-layers"))).containsOnly("1", "2", "3").contains("1", "2", "3");
    assertThat(all.stream().map(one -> one.values().get("loss"))).contains("sim", "pred");
  }

  @Test
  void moreSamplesBeginWithTheSame() {
    List<String> random = List.of("lr=log:1e-4:1e-2");
    List<Combination> few = Combination.of(List.of("loss=sim,pred"), random, 3, 1);
    assertThat(few).hasSize(6);
    assertThat(Combination.of(List.of("loss=sim,pred"), random, 5, 1)).hasSize(10).startsWith(few.toArray(Combination[]::new));
    assertThat(Combination.of(List.of(), random, 3, 2)).doesNotContainAnyElementsOf(Combination.of(List.of(), random, 3, 1));
  }

  @Test
  void foldersAreNamedByValuesAndStayApart() {
    assertThat(folder("lr=1e-3")).isEqualTo("lr=1e-3");
    assertThat(folder("model=nets/../a.json")).startsWith("model=nets_.._a.json-").isNotEqualTo(folder("model=nets_.._a.json"));
    assertThat(folder("model=" + "x".repeat(400))).hasSizeLessThan(200);
  }

  private static String folder(String grid) {
    return Combination.of(List.of(grid), List.of(), 1, 1).get(0).folderName();
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "lr", "=1", "lr=", "lr=1,,2", "lr=3:1:1", "lr=1:2:0", "lr=log:0:1:3", "lr=log:1e-4:1e-2", "lr=0:1e6:1e-3",
    "lr=1.2.3:2:1", "lr=log:1:2:1",
  })
  void whatIsNoGridIsTold(String grid) {
    assertThatThrownBy(() -> values(grid)).isInstanceOf(SettingsException.class).hasMessageStartingWith("grid " + grid);
  }

  @ParameterizedTest
  @ValueSource(strings = {"lr=log:0:1", "lr=uniform:1:1", "n=int:0.5:2", "n=int:-2000000000:2000000000", "n=int:1e99:2e99"})
  void whatIsNoDistributionIsTold(String random) {
    assertThatThrownBy(() -> Combination.of(List.of(), List.of(random), 3, 1))
        .isInstanceOf(SettingsException.class).hasMessageStartingWith("random " + random);
  }

  @Test
  void anOptionIsSweptOnce() {
    assertThatThrownBy(() -> Combination.of(List.of("num_layers=1"), List.of("num-layers=int:1:2"), 3, 1))
        .hasMessageContaining("num-layers is swept twice");
  }

  @Test
  void rowsAreSortedByValidationWhereAllHaveIt() {
    SweepRow one = row(5, 2.0);
    SweepRow two = row(3, 4.0);
    SweepRow diverged = row(Double.NaN, Double.NaN);
    assertThat(order(diverged, two, one)).containsExactly(one, two, diverged);
    SweepRow without = row(4, null);
    assertThat(order(one, without, two)).containsExactly(two, without, one);
    SweepTable table = SweepTable.of("title", "1", "cpu", List.of(one, without), List.of("lr=9, seed 1: no"));
    assertThat(table.toText()).contains("for want of validation errors").contains(" – ");
    assertThat(table.toMarkdown()).contains("Failed: lr=9, seed 1: no");
  }

  private static List<SweepRow> order(SweepRow... rows) {
    return SweepTable.of("title", "1", "cpu", List.of(rows), List.of()).rows();
  }

  private static SweepRow row(double test, Double validation) {
    return new SweepRow(
        Map.of("lr", Double.toString(test)), "lr", List.of(1L), List.of(test),
        validation == null ? null : List.of(validation), List.of(1.0), 3);
  }
}

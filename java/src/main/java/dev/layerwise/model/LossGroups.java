package dev.layerwise.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which blocks learn together from one loss. Hidden blocks are counted in order, N to a group. A group does not end inside a
 * residual block that fits into one: where too little is left of the group, the residual block begins the next. Projections
 * and heads belong to the block that reads them.
 */
final class LossGroups {
  private LossGroups() {}

  /**
   * The layers with their groups, and with a loss where no block of the same group reads them. So every block of a group
   * leads to a loss.
   *
   * @param layers of a whole network, the output layer last
   * @param blocksPerLoss N, at least 1; 1: every hidden block has its own loss
   */
  static List<LayerSpec> of(List<LayerSpec> layers, int blocksPerLoss) {
    int[] group = hiddenGroups(layers, blocksPerLoss);
    int[] firstReader = firstReaders(layers);
    group[layers.size() - 1] = layers.size();
    boolean[] readInGroup = new boolean[layers.size()];
    for (int i = layers.size() - 1; i >= 0; i--) {
      LayerSpec layer = layers.get(i);
      if (layer.kind() == LayerSpec.Kind.SHORTCUT || layer.kind() == LayerSpec.Kind.HEAD) {
        group[i] = group[firstReader[i]];
      }
    }
    for (int i = 0; i < layers.size(); i++) {
      for (int source : sources(layers.get(i))) {
        readInGroup[source] |= group[source] == group[i];
      }
    }
    List<LayerSpec> grouped = new ArrayList<>();
    for (int i = 0; i < layers.size(); i++) {
      LayerSpec layer = layers.get(i);
      boolean hasLoss = layer.kind() == LayerSpec.Kind.OUTPUT || (layer.isHidden() && !readInGroup[i]);
      grouped.add(layer.inGroup(group[i], hasLoss));
    }
    return List.copyOf(grouped);
  }

  /** By number, the positions of the members of those groups in which blocks learn from another's loss. */
  static Map<Integer, List<Integer>> shared(List<LayerSpec> layers) {
    Map<Integer, List<Integer>> members = new HashMap<>();
    for (int i = 0; i < layers.size(); i++) {
      members.computeIfAbsent(layers.get(i).group(), number -> new ArrayList<>()).add(i);
    }
    members.values().removeIf(
        group -> group.stream().map(layers::get).noneMatch(layer -> layer.isHidden() && !layer.hasLoss()));
    return members;
  }

  /** Of hidden blocks the group's number, which is the position of its first; others have none yet. */
  private static int[] hiddenGroups(List<LayerSpec> layers, int blocksPerLoss) {
    int[] begins = blocksPerLoss == 1 ? new int[0]
        : StageCuts.possibleBegins(layers).stream().mapToInt(Integer::intValue).toArray();
    int[] group = new int[layers.size()];
    int number = 0;
    int members = 0;
    for (int i = 0, next = 0; i < layers.size(); i++) {
      if (next < begins.length && begins[next] == i) { // a layer, or a whole residual block, ends before the next begin
        next++;
        int end = next < begins.length ? begins[next] : layers.size();
        long whole = layers.subList(i, end).stream().filter(LayerSpec::isHidden).count();
        members = members + whole > blocksPerLoss ? 0 : members;
      }
      if (layers.get(i).isHidden()) {
        number = members == 0 ? i : number;
        group[i] = number;
        members = (members + 1) % blocksPerLoss;
      }
    }
    return group;
  }

  private static int[] firstReaders(List<LayerSpec> layers) {
    int[] reader = new int[layers.size()];
    Arrays.fill(reader, layers.size() - 1);
    for (int i = layers.size() - 1; i >= 0; i--) {
      for (int source : sources(layers.get(i))) {
        reader[source] = i;
      }
    }
    return reader;
  }

  /** The blocks that a block reads. */
  private static List<Integer> sources(LayerSpec layer) {
    List<Integer> sources = new ArrayList<>();
    if (layer.input() != LayerSpec.IMAGES) {
      sources.add(layer.input());
    }
    if (layer.joinsShortcut() && layer.shortcut() != LayerSpec.IMAGES) {
      sources.add(layer.shortcut());
    }
    return sources;
  }
}

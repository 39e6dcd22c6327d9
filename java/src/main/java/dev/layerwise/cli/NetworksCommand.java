package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSets;
import dev.layerwise.model.LayerCosts;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import dev.layerwise.recipe.Defaults;
import dev.layerwise.settings.Settings;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Shows networks: their names, the blocks of one, or its description. */
@Command(
    name = "networks",
    resourceBundle = "dev.layerwise.cli.SettingDefaults",
    description = {
      "Lists the published networks or, with --model, the blocks of one and what passes between them. Parameters and"
          + " operations are those of a prediction: local losses have more.",
      "For your own network, run 'networks --model NAME --description > my-net.json', edit the file, and train with"
          + " --model my-net.json."
    })
final class NetworksCommand implements Callable<Integer> {
  private static final String USUAL_DATASET = "cifar-10";

  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      description = "Data set whose images the network takes. Default: " + USUAL_DATASET + ".")
  private String dataset;

  @Option(
      names = "--description",
      description = "Print the network as a JSON description for --model. Default: off.")
  private boolean description;

  @Mixin(name = "Network")
  private NetworkOptions network = new NetworkOptions();

  @Spec private CommandSpec spec;

  /**
   * A listed network.
   *
   * @param blocks how many have a loss of their own, the output layer included
   * @param flops of one image's way through it
   * @param origin where it was published; {@code null} for a user's own
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Listed(String name, int blocks, long parameters, long flops, String origin) {
    static Listed of(ModelConfig config) {
      List<LayerSpec> layers = Networks.layers(config);
      return new Listed(
          config.name(), (int) layers.stream().filter(LayerSpec::hasLoss).count(),
          layers.stream().mapToLong(layer -> LayerCosts.parameters(layer, config)).sum(),
          layers.stream().mapToLong(LayerCosts::flops).sum(), Networks.origin(config.name()));
    }
  }

  /**
   * A listed block.
   *
   * @param output channels, height, width
   * @param flops of one image's way through it
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Block(
      String name, String kind, String input, String shortcut, int[] output, long parameters, long flops) {}

  /** A network's description; {@code network} is what {@code --model} takes as a file. */
  private record Description(NetworkSpec network) {}

  @Override
  public Integer call() {
    Checks.usage(!description || network.model != null, "--description needs --model");
    Checks.usage(
        network.model != null || !network.changes(),
        "--pre-act, --feat-mult, --num-layers and --num-hidden need --model");
    Checks.oneOf("--dataset", dataset, DataSets.names());
    PrintWriter out = spec.commandLine().getOut();
    ModelConfig base = Defaults.published(DataSets.info(Checks.or(dataset, USUAL_DATASET))).model();
    if (network.model == null) {
      printAll(out, Networks.names().stream().map(name -> Listed.of(named(name, base))).toList());
    } else {
      ModelConfig config = network.networkOver(base);
      if (description) {
        print(out, Networks.spec(config));
      } else {
        print(out, config);
      }
    }
    out.flush();
    return 0;
  }

  private static ModelConfig named(String name, ModelConfig base) {
    return base.with(Settings.with(base.architecture(), "model", name), null);
  }

  private void printAll(PrintWriter out, List<Listed> networks) {
    if (output.json) {
      networks.forEach(listed -> JsonLines.print(out, "network", listed));
      return;
    }
    String row = "%-20s  %6s  %12s  %12s  %s%n";
    out.printf(row, "network", "losses", "parameters", "MFLOP/image", "origin");
    for (Listed listed : networks) {
      out.printf(
          row, listed.name(), listed.blocks(), String.format("%,d", listed.parameters()),
          String.format("%,.1f", 1e-6 * listed.flops()), listed.origin());
    }
  }

  private void print(PrintWriter out, NetworkSpec described) {
    if (output.json) {
      JsonLines.print(out, "description", new Description(described));
    } else {
      out.println(text(described));
    }
  }

  /** One block per line. */
  private static String text(NetworkSpec described) {
    Separators separators = Separators.createDefaultInstance().withObjectEntrySpacing(Separators.Spacing.NONE);
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter(separators.withObjectFieldValueSpacing(Separators.Spacing.AFTER));
    printer.indentObjectsWith(new DefaultPrettyPrinter.FixedSpaceIndenter());
    printer.indentArraysWith(DefaultIndenter.SYSTEM_LINEFEED_INSTANCE);
    try {
      return new ObjectMapper().writer(printer).writeValueAsString(described);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<Block> blocks(List<LayerSpec> layers, ModelConfig config) {
    return layers.stream()
        .map(
            layer ->
                new Block(
                    layer.name(), layer.kind().toString(), name(layers, layer.input()),
                    layer.joinsShortcut() ? name(layers, layer.shortcut()) : null,
                    new int[] {layer.outChannels(), layer.outHeight(), layer.outWidth()},
                    LayerCosts.parameters(layer, config), LayerCosts.flops(layer)))
        .toList();
  }

  private static String name(List<LayerSpec> layers, int position) {
    return position == LayerSpec.IMAGES ? NetworkSpec.IMAGES : layers.get(position).name();
  }

  private void print(PrintWriter out, ModelConfig config) {
    List<Block> blocks = blocks(Networks.layers(config), config);
    if (output.json) {
      blocks.forEach(block -> JsonLines.print(out, "block", block));
      return;
    }
    String row = "%-22s  %-13s  %-22s  %-12s  %12s  %11s  %s";
    out.println(String.format(row, "block", "kind", "input", "output", "parameters", "MFLOP/image", "shortcut"));
    for (Block block : blocks) {
      String size = block.output()[0] + "×" + block.output()[1] + "×" + block.output()[2];
      String shortcut = block.shortcut() == null ? "" : block.shortcut();
      String line =
          String.format(
              row, block.name(), block.kind(), block.input(), size, String.format("%,d", block.parameters()),
              String.format("%,.1f", 1e-6 * block.flops()), shortcut);
      out.println(line.stripTrailing());
    }
    Listed whole = Listed.of(config);
    out.printf(
        "%n%s: %,d parameters, %,.1f MFLOP an image%s%n", whole.name(), whole.parameters(), 1e-6 * whole.flops(),
        whole.origin() == null ? "" : "; " + whole.origin());
  }
}

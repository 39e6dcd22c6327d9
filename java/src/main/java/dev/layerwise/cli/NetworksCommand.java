package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import dev.layerwise.recipe.Defaults;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
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
      "Lists the published networks or, with --model, the blocks of one and what passes between them.",
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
      description = "Data set whose images the network takes, with --model. Default: " + USUAL_DATASET + ".")
  private String dataset;

  @Option(
      names = "--description",
      description = "Print the network as a JSON description for --model. Default: off.")
  private boolean description;

  @Mixin(name = "Network")
  private NetworkOptions network = new NetworkOptions();

  @Spec private CommandSpec spec;

  /**
   * A listed block.
   *
   * @param output channels, height, width
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Block(String name, String kind, String input, String shortcut, int[] output) {}

  /** A network's description; {@code network} is what {@code --model} takes as a file. */
  private record Description(NetworkSpec network) {}

  @Override
  public Integer call() {
    Checks.usage(!description || network.model != null, "--description needs --model");
    Checks.usage(
        network.model != null || (dataset == null && !network.changes()),
        "--dataset, --pre-act, --feat-mult, --num-layers and --num-hidden need --model");
    PrintWriter out = spec.commandLine().getOut();
    if (network.model == null) {
      Networks.names().forEach(name -> printName(out, name));
    } else {
      Checks.oneOf("--dataset", dataset, DataSets.names());
      DataSetInfo data = DataSets.info(Checks.or(dataset, USUAL_DATASET));
      ModelConfig config = network.networkOver(Defaults.of(data).model());
      List<Block> blocks = blocks(Networks.layers(config));
      if (description) {
        print(out, Networks.spec(config));
      } else {
        print(out, blocks);
      }
    }
    out.flush();
    return 0;
  }

  private void printName(PrintWriter out, String name) {
    if (output.json) {
      JsonLines.print(out, "network", Map.of("name", name));
    } else {
      out.println(name);
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

  private static List<Block> blocks(List<LayerSpec> layers) {
    return layers.stream()
        .map(
            layer ->
                new Block(
                    layer.name(), layer.kind().toString(), name(layers, layer.input()),
                    layer.joinsShortcut() ? name(layers, layer.shortcut()) : null,
                    new int[] {layer.outChannels(), layer.outHeight(), layer.outWidth()}))
        .toList();
  }

  private static String name(List<LayerSpec> layers, int position) {
    return position == LayerSpec.IMAGES ? NetworkSpec.IMAGES : layers.get(position).name();
  }

  private void print(PrintWriter out, List<Block> blocks) {
    if (output.json) {
      blocks.forEach(block -> JsonLines.print(out, "block", block));
      return;
    }
    out.printf("%-22s  %-13s  %-22s  %-12s  %s%n", "block", "kind", "input", "output", "shortcut");
    for (Block block : blocks) {
      String size = block.output()[0] + "×" + block.output()[1] + "×" + block.output()[2];
      String shortcut = block.shortcut() == null ? "" : block.shortcut();
      String line =
          String.format("%-22s  %-13s  %-22s  %-12s  %s", block.name(), block.kind(), block.input(), size, shortcut);
      out.println(line.stripTrailing());
    }
  }
}

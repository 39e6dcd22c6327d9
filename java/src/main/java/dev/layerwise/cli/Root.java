package dev.layerwise.cli;

import picocli.CommandLine.Command;

/** The program without its commands. */
@Command(
    name = "layerwise",
    description = "Trains deep networks block by block with local error signals (Nøkland & Eidnes 2019).",
    mixinStandardHelpOptions = true,
    versionProvider = VersionProvider.class,
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:success",
      "1:failure, described in one sentence on stderr",
      "2:usage error",
      "130:stopped by Ctrl-C"
    })
class Root {}

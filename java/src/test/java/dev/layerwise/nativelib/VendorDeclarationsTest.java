package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import org.bytedeco.cuda.presets.cudart;
import org.junit.jupiter.api.Test;

/**
 * The project declares for itself what it uses of cuBLAS, cuDNN and NCCL. JavaCPP's presets were made from NVIDIA's headers:
 * the numbers must be the same. (The presets' classes are not initialized, as that would load the libraries.)
 */
class VendorDeclarationsTest {
  private static final Path DECLARATIONS = Path.of("../native/src/backend/cuda");
  private static final Pattern NUMBER =
      Pattern.compile("\\b(CU(?:BLAS|DNN)_[A-Z0-9_a-z]+|NCCL_\\w+|nccl[A-Z]\\w+) = (-?\\d+)");
  private static final Pattern FUNCTION =
      Pattern.compile(
          "^(?:cu\\w+_t|ncclResult_t|size_t|const char\\*) ((?:cublas|cudnn|nccl)\\w+)\\(([^;]*)\\);", Pattern.MULTILINE);

  @Test
  void numbersAreThoseOfTheHeaders() throws Exception {
    String presets = disassemble("cublas") + disassemble("cudnn") + disassemble("nccl");
    Map<String, String> declared = new TreeMap<>();
    Matcher number = NUMBER.matcher(declarations());
    while (number.find()) {
      declared.put(number.group(1), number.group(2));
    }
    assertThat(declared).hasSizeGreaterThan(100).containsEntry("CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC", "4")
        .containsEntry("ncclInProgress", "7");
    declared.forEach(
        (name, value) -> assertThat(presets).as(name).contains("final int " + name + " = " + value + ";"));
  }

  @Test
  void functionsTakeAsManyArgumentsAsInTheHeaders() throws Exception {
    String presets = disassemble("cublas") + disassemble("cudnn") + disassemble("nccl");
    int functions = 0;
    Matcher function = FUNCTION.matcher(declarations());
    while (function.find()) {
      Matcher preset = Pattern.compile(" " + function.group(1) + "\\(([^)]*)\\);").matcher(presets);
      assertThat(preset.find()).as(function.group(1)).isTrue();
      assertThat(arguments(function.group(2))).as(function.group(1)).isEqualTo(arguments(preset.group(1)));
      functions++;
    }
    assertThat(functions).isEqualTo(33);
  }

  private static String declarations() throws IOException {
    return Files.readString(DECLARATIONS.resolve("engines/cublas_api.h"))
        + Files.readString(DECLARATIONS.resolve("engines/cudnn_api.h"))
        + Files.readString(DECLARATIONS.resolve("collectives/nccl_api.h"));
  }

  private static int arguments(String list) {
    return list.isBlank() ? 0 : list.split(",").length;
  }

  private static String disassemble(String library) throws URISyntaxException, IOException {
    Path jar = Path.of(cudart.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    StringWriter text = new StringWriter();
    ToolProvider javap = ToolProvider.findFirst("javap").orElseThrow();
    int status =
        javap.run(
            new PrintWriter(text), new PrintWriter(text), "-constants", "-cp", jar.toString(),
            "org.bytedeco.cuda.global." + library);
    assertThat(status).as(text.toString()).isZero();
    return text.toString();
  }
}

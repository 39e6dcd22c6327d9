package dev.layerwise.tensorboard;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Against what TensorBoard's own writer (tensorboard.summary.writer.record_writer) makes of the same events. */
class EventRecordsTest {
  @Test
  void version() {
    assertThat(hex(EventRecords.version(1.5)))
        .isEqualTo("1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c");
  }

  @Test
  void sessionStart() {
    assertThat(hex(EventRecords.sessionStart(1.5, 1)))
        .isEqualTo("0f000000000000006d532b0909000000000000f83f10013a0208012967c289");
  }

  @Test
  void scalars() {
    Map<String, Double> values = new LinkedHashMap<>();
    values.put("loss/train", 0.25);
    values.put("error/ä", -2.0);
    assertThat(hex(EventRecords.scalars(1.5, 300, values)))
        .isEqualTo(
            "3200000000000000241956ec09000000000000f83f10ac022a240a110a0a6c6f73732f747261696e150000803e"
                + "0a0f0a086572726f722fc3a415000000c06f3bb7a8");
  }

  @Test
  void maskedChecksum() {
    // RFC 3720, B.4: the CRC-32C of 32 zero bytes is 8a9136aa; rotated right by 15 bits it is 6d551522.
    assertThat(EventRecords.maskedChecksum(new byte[32])).isEqualTo(0x6d551522 + 0xa282ead8);
    assertThat(EventRecords.maskedChecksum("123456789".getBytes(StandardCharsets.US_ASCII)))
        .isEqualTo(Integer.rotateRight(0xe3069283, 15) + 0xa282ead8); // the check value of the CRC catalogue
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}

package dev.layerwise.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.files.FileException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafeTensorsTest {
  private static final String A = "'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}";

  @TempDir
  Path folder;

  @Test
  void whatIsWrittenIsRead() throws IOException {
    SafeTensors written = example();
    Path file = folder.resolve("model.safetensors");
    written.write(file);
    SafeTensors read = SafeTensors.read(file);
    assertThat(read.metadata()).isEqualTo(written.metadata());
    assertThat(read.tensors().keySet()).containsExactlyElementsOf(written.tensors().keySet());
    assertThat(read.tensors().get("weight").toFloats()).containsExactly(1, -2, 3.5f, Float.NaN, 0, -0f);
    assertThat(read.tensors().get("weight").shape()).containsExactly(2, 3);
    assertThat(read.tensors().get("loss").toDoubles()).containsExactly(Math.PI);
    assertThat(read.tensors().get("loss").shape()).isEmpty();
    assertThat(read.tensors().get("labels").toInts()).containsExactly(7, -1);
    assertThat(read.tensors().get("step").toLongs()).containsExactly(1L << 40);
    assertThat(read.tensors().get("mask").toBytes()).containsExactly(1, 2, (byte) 255);
    assertThat(read.tensors().get("none").toFloats()).isEmpty();
    assertThat(read.tensors().get("none").shape()).containsExactly(0, 5);
  }

  @Test
  void metadataIsReadWithoutTheTensors() throws IOException {
    Path file = folder.resolve("model.safetensors");
    example().write(file);
    assertThat(SafeTensors.readMetadata(file)).isEqualTo(example().metadata()).isNotEmpty();
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 1));
    assertThatThrownBy(() -> SafeTensors.readMetadata(file))
        .isInstanceOf(FileException.class).hasMessageContaining("cut off");
  }

  @Test
  void layoutOfTheFile() throws IOException {
    Path file = folder.resolve("model.safetensors");
    example().write(file);
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    long headerLength = bytes.getLong(0);
    assertThat(headerLength % 8).isZero();
    assertThat(bytes.get(8)).isEqualTo((byte) '{');
    // F64 and I64 first, in the order given, then 4-byte types, then bytes.
    int data = (int) (8 + headerLength);
    assertThat(bytes.getDouble(data)).isEqualTo(Math.PI);
    assertThat(bytes.getLong(data + 8)).isEqualTo(1L << 40);
    assertThat(bytes.getFloat(data + 16)).isEqualTo(1f);
    assertThat(bytes.getInt(data + 40)).isEqualTo(7);
    assertThat(bytes.capacity()).isEqualTo(data + 51);
  }

  @Test
  void emptyFileOfTheFormat() {
    Path file = folder.resolve("empty.safetensors");
    new SafeTensors(Map.of(), Map.of()).write(file);
    assertThat(SafeTensors.read(file).tensors()).isEmpty();
    assertThat(SafeTensors.read(file).metadata()).isEmpty();
  }

  @Test
  void minimalFileOfAnotherWriter() throws IOException {
    SafeTensors read = SafeTensors.read(file("{'a':{'data_offsets':[4,8],'shape':[],'dtype':'I32'},"
        + "'b':{'dtype':'U8','shape':[2,2],'data_offsets':[0,4]}}", new byte[] {1, 2, 3, 4, 5, 0, 0, 0}));
    assertThat(read.tensors().keySet()).containsExactly("a", "b");
    assertThat(read.tensors().get("a").toInts()).containsExactly(5);
    assertThat(read.tensors().get("b").toBytes()).containsExactly(1, 2, 3, 4);
  }

  @Test
  void narrowFloats() throws IOException {
    SafeTensors read = SafeTensors.read(file("{'a':{'dtype':'U8','shape':[1],'data_offsets':[0,1]},"
        + "'b':{'dtype':'BF16','shape':[],'data_offsets':[1,3]},'c':{'dtype':'F16','shape':[0,4],'data_offsets':[3,3]},"
        + "'d':{'dtype':'F16','shape':[3],'data_offsets':[3,9]},'e':{'dtype':'BOOL','shape':[1],'data_offsets':[9,10]}}",
        new byte[] {7, (byte) 0x80, (byte) 0xbf, 0, 0x3c, 1, 0, 0, (byte) 0xfc, 1}));
    assertThat(read.tensors().get("b").type()).isEqualTo(ElementType.BF16);
    assertThat(read.tensors().get("b").inFloat32().toFloats()).containsExactly(-1);
    assertThat(read.tensors().get("c").inFloat32().toFloats()).isEmpty();
    assertThat(read.tensors().get("d").inFloat32().toFloats())
        .containsExactly(1, 0x1p-24f, Float.NEGATIVE_INFINITY);
    Path copy = folder.resolve("copy.safetensors");
    read.write(copy);
    assertThat(SafeTensors.read(copy).tensors().get("d").data()).isEqualTo(read.tensors().get("d").data());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
      {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,9]}}          | does not fit its place
      {'a':{'dtype':'F32','shape':[2],'data_offsets':[8,0]}}          | begins at byte 8
      {'a':{'dtype':'F32','shape':[3],'data_offsets':[0,12]}}         | the file is cut off
      {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}          | but 8 follow the header
      {'a':{'dtype':'F32','shape':[1],'data_offsets':[4,8]}}          | begins at byte 4
      {'a':{'dtype':'F32','shape':[-2],'data_offsets':[0,8]}}         | none negative
      {'a':{'dtype':'F32','shape':[2],'data_offsets':[-8,0]}}         | none negative
      {'a':{'dtype':'F32','shape':[2.0],'data_offsets':[0,8]}}        | whole numbers
      {'a':{'dtype':'F32','shape':2,'data_offsets':[0,8]}}            | not a list
      {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8,16]}}       | 3 data_offsets instead of two
      {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,99999999999999999999]}} | not valid
      {'a':{'dtype':'F32','shape':[4294967296,4294967296],'data_offsets':[0,8]}} | impossible shape
      {'a':{'dtype':'F32','shape':[9223372036854775807],'data_offsets':[0,8]}} | impossible shape
      {'a':{'dtype':'F32','shape':[1073741825],'data_offsets':[0,4]}} | impossible shape
      {'a':{'dtype':'BF16','shape':[3],'data_offsets':[0,8]}}         | does not fit its place
      {'a':{'dtype':'F16','shape':[],'data_offsets':[0,8]}}           | does not fit its place
      {'a':{'dtype':'F16','shape':[1073741824],'data_offsets':[0,8]}} | impossible shape
      {'a':{'dtype':'BF16','shape':[2147483648,4294967295],'data_offsets':[0,8]}} | impossible shape
      {'a':{'dtype':'F4','shape':[16],'data_offsets':[0,8]}}          | type F4
      {'a':{'dtype':7,'shape':[4],'data_offsets':[0,8]}}              | type 7
      {'a':{'dtype':'F32','shape':[2]}}                               | lacks
      {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,8],'x':1}}    | unknown field 'x'
      {'a':7}                                                         | 'a' is not an object
      {'__metadata__':{'k':1}}                                        | 'k' in __metadata__ is not a string
      {'__metadata__':'k'}                                            | is not an object
      []                                                              | does not begin with '{'
      {'a'                                                            | header is not valid
      """)
  void headerThatIsWrong(String header, String message) throws IOException {
    assertFails(file(header, new byte[8]), message);
  }

  @Test
  void duplicates() throws IOException {
    assertFails(file("{" + A + "," + A + "}", new byte[8]), "Duplicate field 'a'");
    assertFails(file("{'__metadata__':{'k':'1','k':'2'}," + A + "}", new byte[8]), "Duplicate field 'k'");
    assertFails(file("{'a':{'dtype':'F32','dtype':'I32','shape':[2],'data_offsets':[0,8]}}", new byte[8]), "dtype");
  }

  @Test
  void overlap() throws IOException {
    assertFails(file("{" + A + ",'b':{'dtype':'F32','shape':[2],'data_offsets':[4,12]}}", new byte[12]),
        "tensor 'b' begins at byte 4, where the one before it ends at 8");
  }

  @Test
  void somethingBehindTheHeader() throws IOException {
    assertThat(SafeTensors.read(file("{" + A + "}  \n ", new byte[8])).tensors()).hasSize(1);
    assertFails(file("{" + A + "} {}", new byte[8]), "something follows it");
    assertFails(file("{" + A + "}\0", new byte[8]), "header is not valid");
  }

  @Test
  void deeplyNestedHeader() throws IOException {
    assertFails(file("{'a':" + "[".repeat(1_000_000), new byte[0]), "'a' is not an object");
    assertFails(file("{'a':{'shape':" + "[".repeat(1_000_000), new byte[0]), "not a list");
    assertFails(file("{'a':{'shape':[" + "0,".repeat(1_000_000), new byte[0]), "at most 64");
  }

  @Test
  void invalidUtf8() throws IOException {
    byte[] header = "{'__metadata__':{'k':'x'}}".replace('\'', '"').getBytes(StandardCharsets.UTF_8);
    header[header.length - 4] = (byte) 0xff;
    assertFails(file(header, new byte[0]), "not valid UTF-8");
  }

  @Test
  void headerLengthThatIsWrong() throws IOException {
    Path file = folder.resolve("bad.safetensors");
    byte[] good = Files.readAllBytes(file("{" + A + "}", new byte[8]));
    long[] lengths = {0, 1, 100_000_001L, Long.MAX_VALUE, -1, Long.MIN_VALUE, good.length - 7};
    for (long length : lengths) {
      Files.write(file, ByteBuffer.wrap(good.clone()).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length).array());
      assertFails(file, "not a safetensors file");
    }
    Files.write(file, Arrays.copyOf(good, 7));
    assertFails(file, "it has only 7 bytes");
    Files.write(file, new byte[0]);
    assertFails(file, "it has only 0 bytes");
  }

  @Test
  void everyTruncationIsFound() throws IOException {
    example().write(folder.resolve("whole"));
    byte[] whole = Files.readAllBytes(folder.resolve("whole"));
    Path file = folder.resolve("cut");
    for (int length = 0; length < whole.length; length++) {
      Files.write(file, Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> SafeTensors.read(file)).isInstanceOf(FileException.class);
    }
    Files.write(file, Arrays.copyOf(whole, whole.length + 1));
    assertFails(file, "follow the header");
  }

  @Test
  void mutationsGiveTensorsOrOneExceptionType() throws IOException {
    example().write(folder.resolve("whole"));
    byte[] whole = Files.readAllBytes(folder.resolve("whole"));
    int header = 8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
    byte[] likely = "0123456789-.eE{}[],:\"\\ \0\377_FIU".getBytes(StandardCharsets.ISO_8859_1);
    Path file = folder.resolve("mutated");
    Random random = new Random(17);
    int refused = 0;
    for (int round = 0; round < 600; round++) {
      byte[] mutated = whole.clone();
      for (int change = random.nextInt(4); change >= 0; change--) {
        int place = random.nextInt(round % 4 == 0 ? whole.length : header);
        mutated[place] = random.nextBoolean() ? likely[random.nextInt(likely.length)] : (byte) random.nextInt(256);
      }
      Files.write(file, mutated);
      try {
        SafeTensors.read(file);
      } catch (FileException expected) {
        refused++;
        assertThat(expected.getMessage()).startsWith(file.toString()).endsWith(".");
      }
    }
    assertThat(refused).isGreaterThan(300);
  }

  @Test
  void missingFileAndFolder() {
    assertThatThrownBy(() -> SafeTensors.read(folder.resolve("none"))).isInstanceOf(FileException.class)
        .hasMessage("Cannot read " + folder.resolve("none") + ": no such file or folder.");
    assertThatThrownBy(() -> SafeTensors.read(folder)).isInstanceOf(FileException.class)
        .hasMessage(folder + " is a folder where a safetensors file is expected.");
  }

  @Test
  void namesThatCannotBeWritten() {
    HostTensor tensor = HostTensor.of(new long[] {1}, new float[1]);
    assertThatThrownBy(() -> new SafeTensors(Map.of(), Map.of("__metadata__", tensor)).write(folder.resolve("m")))
        .isInstanceOf(FileException.class).hasMessageContaining("cannot be named '__metadata__'");
    assertThatThrownBy(() -> new SafeTensors(Map.of("k", "\ud800"), Map.of()).write(folder.resolve("m")))
        .isInstanceOf(FileException.class).hasMessageContaining("not valid Unicode");
    assertThatThrownBy(() -> new SafeTensors(Map.of("\udc00k", "v"), Map.of()).write(folder.resolve("m")))
        .isInstanceOf(FileException.class).hasMessageContaining("not valid Unicode");
    assertThatThrownBy(() -> new SafeTensors(Map.of(), Map.of("a\ud800b", tensor)).write(folder.resolve("m")))
        .isInstanceOf(FileException.class).hasMessageContaining("not valid Unicode");
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void anyUnicodeNameSurvives() {
    Map<String, String> metadata = Map.of("ключ \" \\ \n", "日本 🎉");
    Path file = folder.resolve("m");
    new SafeTensors(metadata, Map.of("β.γ", HostTensor.of(new long[] {1}, new int[] {3}))).write(file);
    assertThat(SafeTensors.read(file).metadata()).isEqualTo(metadata);
    assertThat(SafeTensors.read(file).tensors()).containsOnlyKeys("β.γ");
  }

  @Test
  void hostTensorChecksShapeAndType() {
    assertThatThrownBy(() -> HostTensor.of(new long[] {2, 2}, new float[3])).isInstanceOf(FileException.class)
        .hasMessage("A tensor of shape [2, 2] does not hold 3 values.");
    assertThatThrownBy(() -> HostTensor.of(new long[] {-1, -3}, new float[3])).isInstanceOf(FileException.class);
    HostTensor tensor = HostTensor.of(new long[] {3}, new float[] {1, 2, 3});
    assertThatThrownBy(tensor::toInts).isInstanceOf(FileException.class)
        .hasMessage("A tensor of type F32 and shape [3] is not of type I32.");
    tensor.shape()[0] = 5;
    assertThat(tensor.shape()).containsExactly(3);
    assertThat(tensor.data().isReadOnly()).isTrue();
  }

  private static SafeTensors example() {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", "pt");
    metadata.put("configuration", "{\"network\": \"mlp\"}");
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    tensors.put("mask", HostTensor.of(new long[] {3}, new byte[] {1, 2, (byte) 255}));
    tensors.put("weight", HostTensor.of(new long[] {2, 3}, new float[] {1, -2, 3.5f, Float.NaN, 0, -0f}));
    tensors.put("loss", HostTensor.of(new long[0], new double[] {Math.PI}));
    tensors.put("none", HostTensor.of(new long[] {0, 5}, new float[0]));
    tensors.put("labels", HostTensor.of(new long[] {2}, new int[] {7, -1}));
    tensors.put("step", HostTensor.of(new long[] {1}, new long[] {1L << 40}));
    return new SafeTensors(metadata, tensors);
  }

  /** A file with this header, apostrophes standing for quotation marks. */
  private Path file(String header, byte[] data) throws IOException {
    return file(header.replace('\'', '"').getBytes(StandardCharsets.UTF_8), data);
  }

  private Path file(byte[] header, byte[] data) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(8 + header.length + data.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(header.length).put(header).put(data);
    return Files.write(folder.resolve("case.safetensors"), bytes.array());
  }

  private static void assertFails(Path file, String message) {
    assertThatThrownBy(() -> SafeTensors.read(file)).isInstanceOf(FileException.class)
        .message().startsWith(file.toString()).contains(message).endsWith(".");
  }
}

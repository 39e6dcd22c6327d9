package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.train.TestTimeAugmentation.Kind;
import dev.layerwise.train.TestTimeAugmentation.View;
import java.util.HashSet;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestTimeAugmentationTest {
  /** Two planes of two rows and three columns. */
  private static final byte[] IMAGE = {1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16};

  private static byte[] seen(View view) {
    byte[] to = new byte[14];
    to[0] = 99;
    to[13] = 99;
    view.write(IMAGE, 2, 2, 3, to, 1);
    assertThat(to[0]).isEqualTo((byte) 99);
    assertThat(to[13]).isEqualTo((byte) 99);
    return java.util.Arrays.copyOfRange(to, 1, 13);
  }

  @Test
  void viewsAreMirroredAndMovedOverBlack() {
    assertThat(seen(View.PLAIN)).isEqualTo(IMAGE);
    assertThat(seen(new View(0, 0, true))).containsExactly(3, 2, 1, 6, 5, 4, 13, 12, 11, 16, 15, 14);
    assertThat(seen(new View(1, -1, false))).containsExactly(0, 0, 0, 2, 3, 0, 0, 0, 0, 12, 13, 0);
    assertThat(seen(new View(-1, 2, false))).containsExactly(0, 0, 4, 0, 0, 0, 0, 0, 14, 0, 0, 0);
    // The mirror image of the moved image.
    assertThat(seen(new View(1, -1, true))).containsExactly(0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 13, 12);
  }

  @Test
  void everyViewIsThereOnce() {
    assertThat(TestTimeAugmentation.views(Kind.MIRROR)).containsExactly(View.PLAIN, new View(0, 0, true));
    List<View> crops = TestTimeAugmentation.views(Kind.MULTI_CROP);
    assertThat(crops).hasSize(10).contains(View.PLAIN);
    assertThat(new HashSet<>(crops)).hasSize(10);
    assertThat(crops).allMatch(view -> Math.abs(view.down()) == Math.abs(view.right()) && Math.abs(view.down()) <= 2);
  }
}

package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class TerminalTest {
  private static final String BLOCK = "  layers.0                sim 0.08584  pred 0.02008  local error 22.76 %";

  @Test
  void aLineThatFitsStays() {
    assertThat(Terminal.inRows(BLOCK, BLOCK.length())).isEqualTo(BLOCK);
  }

  @Test
  void aLongerLineIsBrokenBetweenItsParts() {
    assertThat(Terminal.inRows(BLOCK, 40).lines())
        .containsExactly("  layers.0  sim 0.08584  pred 0.02008", "      local error 22.76 %");
    assertThat(Terminal.inRows("epoch 1/3  lr 1.00e-03  train loss 2.0679 error 42.73 %", 20).lines())
        .as("a part is not broken")
        .containsExactly("epoch 1/3", "    lr 1.00e-03", "    train loss 2.0679 error 42.73 %");
  }
}

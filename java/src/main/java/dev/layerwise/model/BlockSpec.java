package dev.layerwise.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;

/**
 * One block as a network's description writes it. Everything but name and kind may be {@code null}, which
 * leaves the kind's default ({@link BlockFields}); a field that its kind does not have must be.
 *
 * @param name of the block, with which its tensors' names begin: {@code layer1.0.conv1}
 * @param input name of the block it reads, or {@link NetworkSpec#IMAGES}; by default the one before that
 *     is no shortcut
 * @param shortcut name of the block whose output is added, or {@link NetworkSpec#IMAGES}; by default none
 * @param channels of the output, of convolutions
 * @param units of a linear block
 * @param kernel side of the convolution's kernel
 * @param padding zeros around the map, by default half the kernel
 * @param bias whether convolution or linear layer have a bias
 * @param pool whether 2×2 max-pooling ends the block
 * @param batchNorm whether a shortcut or a head has batch normalization
 * @param relu whether a head has a ReLU
 * @param averagePool side of the window of a head's average pooling
 * @param affine whether a head's batch norm trains scale and shift; under local losses it never does
 * @param normMomentum part of a new batch in the running statistics of a head's batch norm
 * @param normalizeInput whether a preactivation block has batch norm, nonlinearity and dropout before its
 *     convolution
 * @param dropout whether the run's dropout applies to the block's channels or units
 * @param inputDropout whether the run's dropout applies to the elements of a preactivation block's input
 * @param zeroStart whether the output layer's weights start at zero under local losses
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@JsonInclude(JsonInclude.Include.NON_NULL)
public record BlockSpec(
    String name,
    LayerSpec.Kind kind,
    String input,
    String shortcut,
    Integer channels,
    Integer units,
    Integer kernel,
    Integer stride,
    Integer padding,
    Boolean bias,
    Boolean pool,
    Boolean batchNorm,
    Boolean relu,
    Integer averagePool,
    Boolean affine,
    Double normMomentum,
    Boolean normalizeInput,
    Boolean dropout,
    Boolean inputDropout,
    Boolean zeroStart) {

  /** A block of which nothing but name and kind is said yet. */
  static Builder builder(LayerSpec.Kind kind, String name) {
    return new Builder(kind, name);
  }

  /** The same with other output channels. */
  BlockSpec withChannels(int others) {
    return new BlockSpec(
        name, kind, input, shortcut, others, units, kernel, stride, padding, bias, pool, batchNorm, relu, averagePool,
        affine, normMomentum, normalizeInput, dropout, inputDropout, zeroStart);
  }

  /** Says what differs from the defaults. */
  static final class Builder {
    private final LayerSpec.Kind kind;
    private final String name;
    private String input;
    private String shortcut;
    private Integer channels;
    private Integer units;
    private Integer kernel;
    private Integer stride;
    private Integer padding;
    private Boolean bias;
    private Boolean pool;
    private Boolean batchNorm;
    private Boolean relu;
    private Integer averagePool;
    private Boolean affine;
    private Double normMomentum;
    private Boolean normalizeInput;
    private Boolean dropout;
    private Boolean inputDropout;
    private Boolean zeroStart;

    private Builder(LayerSpec.Kind kind, String name) {
      this.kind = kind;
      this.name = name;
    }

    /** {@code null}: the usual one. */
    Builder input(String block) {
      input = block;
      return this;
    }

    /** {@code null}: none. */
    Builder shortcut(String block) {
      shortcut = block;
      return this;
    }

    Builder channels(Integer count) {
      channels = count;
      return this;
    }

    Builder units(Integer count) {
      units = count;
      return this;
    }

    /** Side and stride of the kernel; the padding is half of it. */
    Builder kernel(int side, int step) {
      kernel = side;
      stride = step;
      padding = side / 2;
      return this;
    }

    Builder padding(int zeros) {
      padding = zeros;
      return this;
    }

    Builder bias(boolean given) {
      bias = given;
      return this;
    }

    Builder pool(boolean given) {
      pool = given;
      return this;
    }

    Builder batchNorm(boolean given) {
      batchNorm = given;
      return this;
    }

    Builder relu(boolean given) {
      relu = given;
      return this;
    }

    Builder averagePool(int side) {
      averagePool = side;
      return this;
    }

    Builder affine(boolean given) {
      affine = given;
      return this;
    }

    Builder normMomentum(double part) {
      normMomentum = part;
      return this;
    }

    Builder normalizeInput(boolean given) {
      normalizeInput = given;
      return this;
    }

    Builder dropout(boolean given) {
      dropout = given;
      return this;
    }

    Builder inputDropout(boolean given) {
      inputDropout = given;
      return this;
    }

    Builder zeroStart(boolean given) {
      zeroStart = given;
      return this;
    }

    BlockSpec build() {
      return new BlockSpec(
          name, kind, input, shortcut, channels, units, kernel, stride, padding, bias, pool, batchNorm, relu,
          averagePool, affine, normMomentum, normalizeInput, dropout, inputDropout, zeroStart);
    }
  }
}

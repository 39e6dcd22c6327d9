package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.BlockConfigStruct;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import org.bytedeco.javacpp.BytePointer;

/**
 * What a block is to be. {@link NativeContext#block} checks it.
 *
 * @param name begins every message about the block: "features.0"
 * @param index of the block in its network, 0 … 2²⁵ − 1: keys its random numbers
 * @param outChannels for the output layer, the number of classes
 * @param kernel side of the convolution's kernel
 * @param bias whether the encoder has a bias
 * @param negativeSlope 0: ReLU; 0.01: the LeakyReLU of the published method
 * @param dropout probability, in [0, 1)
 * @param maxPool whether 2×2 max-pooling ends the block
 * @param normalizeInput whether batch norm and activation come before a preactivation block's convolution
 * @param inputDropout dropout of a preactivation block's input, element by element
 * @param averagePool side of a head's average pooling window, 1 for none
 * @param affine whether a head's batch norm trains scale and shift
 * @param normMomentum part of the new batch in a head's running statistics
 * @param beta weight of sim in predsim
 * @param similarityStd whether the similarity features of a map are standard deviations over positions;
 *     otherwise the map is flattened
 * @param dimInDecoder most features that the local classifier sees
 * @param classes that the local losses know
 * @param unsupervised the unsupervised local loss
 * @param alpha total loss = alpha · unsupervised + (1 − alpha) · supervised
 * @param bio feedback alignment, projected binary targets, similarity of pooled maps
 * @param targetProjSize bits of a target under bio
 * @param lossScale factor of the global loss; output layer only
 * @param zeroStart whether weights start at zero; output layer only
 * @param momentum of sgd, in [0, 1)
 * @param weightDecay L2 penalty, added to the gradient
 */
public record BlockConfig(
    String name,
    BlockKind kind,
    int index,
    int inChannels,
    int inHeight,
    int inWidth,
    int outChannels,
    int kernel,
    int stride,
    int padding,
    boolean bias,
    boolean batchNorm,
    double negativeSlope,
    double dropout,
    boolean maxPool,
    boolean normalizeInput,
    double inputDropout,
    int averagePool,
    boolean affine,
    double normMomentum,
    Loss loss,
    double beta,
    boolean similarityStd,
    int dimInDecoder,
    int classes,
    UnsupervisedLoss unsupervised,
    double alpha,
    boolean bio,
    int targetProjSize,
    double lossScale,
    boolean zeroStart,
    Optimizer optimizer,
    double momentum,
    double weightDecay) {

  /**
   * Starts from the published defaults: 3×3, stride 1, padding 1, bias, batch norm, ReLU, predsim with
   * beta 0.99, dim_in_decoder 4096, Adam. Sizes are left 0.
   *
   * @throws DeviceUnavailableException if the native library, which knows the defaults, does not load
   */
  public static Builder builder(String name, BlockKind kind) {
    NativeLibrary.load();
    try (BlockConfigStruct defaults = new BlockConfigStruct()) {
      LayerwiseApi.layerwise_block_config_defaults(defaults);
      return new Builder(name, kind, defaults);
    }
  }

  /** The C structure, which points to the name; both are the caller's to close. */
  BlockConfigStruct toStruct(BytePointer cName) {
    return new BlockConfigStruct()
        .name(cName)
        .kind(kind.code)
        .index(index)
        .in_channels(inChannels)
        .in_height(inHeight)
        .in_width(inWidth)
        .out_channels(outChannels)
        .kernel(kernel)
        .stride(stride)
        .padding(padding)
        .bias(bias ? 1 : 0)
        .batch_norm(batchNorm ? 1 : 0)
        .negative_slope(negativeSlope)
        .dropout(dropout)
        .max_pool(maxPool ? 1 : 0)
        .normalize_input(normalizeInput ? 1 : 0)
        .input_dropout(inputDropout)
        .average_pool(averagePool)
        .affine(affine ? 1 : 0)
        .norm_momentum(normMomentum)
        .loss(loss.code)
        .beta(beta)
        .similarity_std(similarityStd ? 1 : 0)
        .dim_in_decoder(dimInDecoder)
        .classes(classes)
        .unsupervised(unsupervised.code)
        .alpha(alpha)
        .bio(bio ? 1 : 0)
        .target_proj_size(targetProjSize)
        .loss_scale(lossScale)
        .zero_start(zeroStart ? 1 : 0)
        .optimizer(optimizer.code)
        .momentum(momentum)
        .weight_decay(weightDecay);
  }

  /** Sets what differs from the defaults. */
  public static final class Builder {
    private final String name;
    private final BlockKind kind;
    private int index;
    private int inChannels;
    private int inHeight;
    private int inWidth;
    private int outChannels;
    private int kernel;
    private int stride;
    private int padding;
    private boolean bias;
    private boolean batchNorm;
    private double negativeSlope;
    private double dropout;
    private boolean maxPool;
    private boolean normalizeInput;
    private double inputDropout;
    private int averagePool;
    private boolean affine;
    private double normMomentum;
    private Loss loss;
    private double beta;
    private boolean similarityStd;
    private int dimInDecoder;
    private int classes;
    private UnsupervisedLoss unsupervised;
    private double alpha;
    private boolean bio;
    private int targetProjSize;
    private double lossScale;
    private boolean zeroStart;
    private Optimizer optimizer;
    private double momentum;
    private double weightDecay;

    private Builder(String name, BlockKind kind, BlockConfigStruct defaults) {
      this.name = name;
      this.kind = kind;
      index = defaults.index();
      inChannels = defaults.in_channels();
      inHeight = defaults.in_height();
      inWidth = defaults.in_width();
      outChannels = defaults.out_channels();
      kernel = defaults.kernel();
      stride = defaults.stride();
      padding = defaults.padding();
      bias = defaults.bias() != 0;
      batchNorm = defaults.batch_norm() != 0;
      negativeSlope = defaults.negative_slope();
      dropout = defaults.dropout();
      maxPool = defaults.max_pool() != 0;
      normalizeInput = defaults.normalize_input() != 0;
      inputDropout = defaults.input_dropout();
      averagePool = defaults.average_pool();
      affine = defaults.affine() != 0;
      normMomentum = defaults.norm_momentum();
      loss = Loss.of(defaults.loss());
      beta = defaults.beta();
      similarityStd = defaults.similarity_std() != 0;
      dimInDecoder = defaults.dim_in_decoder();
      classes = defaults.classes();
      unsupervised = UnsupervisedLoss.of(defaults.unsupervised());
      alpha = defaults.alpha();
      bio = defaults.bio() != 0;
      targetProjSize = defaults.target_proj_size();
      lossScale = defaults.loss_scale();
      zeroStart = defaults.zero_start() != 0;
      optimizer = Optimizer.of(defaults.optimizer());
      momentum = defaults.momentum();
      weightDecay = defaults.weight_decay();
    }

    public Builder index(int index) {
      this.index = index;
      return this;
    }

    public Builder input(int channels, int height, int width) {
      inChannels = channels;
      inHeight = height;
      inWidth = width;
      return this;
    }

    public Builder outChannels(int outChannels) {
      this.outChannels = outChannels;
      return this;
    }

    public Builder convolution(int kernel, int stride, int padding) {
      this.kernel = kernel;
      this.stride = stride;
      this.padding = padding;
      return this;
    }

    public Builder bias(boolean bias) {
      this.bias = bias;
      return this;
    }

    public Builder batchNorm(boolean batchNorm) {
      this.batchNorm = batchNorm;
      return this;
    }

    public Builder negativeSlope(double negativeSlope) {
      this.negativeSlope = negativeSlope;
      return this;
    }

    public Builder dropout(double dropout) {
      this.dropout = dropout;
      return this;
    }

    public Builder maxPool(boolean maxPool) {
      this.maxPool = maxPool;
      return this;
    }

    public Builder normalizeInput(boolean normalizeInput) {
      this.normalizeInput = normalizeInput;
      return this;
    }

    public Builder inputDropout(double inputDropout) {
      this.inputDropout = inputDropout;
      return this;
    }

    public Builder averagePool(int averagePool) {
      this.averagePool = averagePool;
      return this;
    }

    public Builder affine(boolean affine) {
      this.affine = affine;
      return this;
    }

    public Builder normMomentum(double normMomentum) {
      this.normMomentum = normMomentum;
      return this;
    }

    public Builder loss(Loss loss) {
      this.loss = loss;
      return this;
    }

    public Builder beta(double beta) {
      this.beta = beta;
      return this;
    }

    public Builder similarityStd(boolean similarityStd) {
      this.similarityStd = similarityStd;
      return this;
    }

    public Builder dimInDecoder(int dimInDecoder) {
      this.dimInDecoder = dimInDecoder;
      return this;
    }

    public Builder classes(int classes) {
      this.classes = classes;
      return this;
    }

    public Builder unsupervised(UnsupervisedLoss unsupervised, double alpha) {
      this.unsupervised = unsupervised;
      this.alpha = alpha;
      return this;
    }

    public Builder bio(boolean bio, int targetProjSize) {
      this.bio = bio;
      this.targetProjSize = targetProjSize;
      return this;
    }

    public Builder lossScale(double lossScale) {
      this.lossScale = lossScale;
      return this;
    }

    public Builder zeroStart(boolean zeroStart) {
      this.zeroStart = zeroStart;
      return this;
    }

    public Builder optimizer(Optimizer optimizer) {
      this.optimizer = optimizer;
      return this;
    }

    public Builder momentum(double momentum) {
      this.momentum = momentum;
      return this;
    }

    public Builder weightDecay(double weightDecay) {
      this.weightDecay = weightDecay;
      return this;
    }

    public BlockConfig build() {
      return new BlockConfig(
          name, kind, index, inChannels, inHeight, inWidth, outChannels, kernel, stride, padding,
          bias, batchNorm, negativeSlope, dropout, maxPool, normalizeInput, inputDropout, averagePool, affine,
          normMomentum, loss, beta, similarityStd, dimInDecoder,
          classes, unsupervised, alpha, bio, targetProjSize, lossScale, zeroStart, optimizer, momentum, weightDecay);
    }
  }
}

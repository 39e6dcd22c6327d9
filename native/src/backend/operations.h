// The op contract: what a device must be able to do for the algorithm in block/ to run on it.
//
// Every operation is one fused step of a local-loss block, meant to be one pass over memory. The
// algorithm decides what is computed; a backend decides how. All backends are held to the same table
// of cases (tests/operation_cases.h), the reference backend being what the others are compared with.
//
// Conventions
// - Activations are channels-last: Shape{n, h, w, c}. A linear layer is a convolution whose kernel
//   covers its whole input, so its activations are (N, 1, 1, F) and nothing here is special for it.
// - Weights are (out channels, kernel height, kernel width, in channels): Shape{n=O, h, w, c=I}.
// - `A` is the activation type, `P` the type of parameters, statistics and their gradients
//   (activation_type(), parameter_type()). Sums are accumulated in P or wider, in a fixed order.
// - Weights are read as A. Where A is narrower than P they are a copy, which the optimizer writes
//   beside the parameters that it updates; biases, scales and shifts are read as P.
// - An absent tensor (operator bool false) switches its part of an operation off.
// - Outputs are overwritten. Only Metrics and running statistics are accumulated.
// - Operands never overlap unless the comment says so. Shapes have been checked by the caller.
// - "Bytes" in the comments counts what one pass must move, in elements of A, small operands left out.
//   N samples, P_x positions of a map, C channels.
#pragma once

#include <cstdint>

#include "core/mixing.h"
#include "core/optimizer_rule.h"
#include "core/tensor.h"

namespace layerwise {

/// Sums over the samples seen since they were last read; in device memory. Losses are sums over
/// samples of the unweighted mean loss of the sample's batch.
struct Metrics {
  double similarity_loss = 0;    // supervised
  double prediction_loss = 0;
  double unsupervised_loss = 0;  // similarity to the input, or reconstruction of it
  double errors = 0;   // samples whose largest logit is not at their label, or at the largest share of their target (first of
                       // equals counts)
};

/// Geometry of a convolution; zero padding, the same stride and padding in both directions.
struct Convolution {
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride = 1;
  int64_t padding = 0;

  Shape output_shape(const Shape& input, int64_t channels) const {
    return {input.n, (input.h + 2 * padding - kernel_height) / stride + 1,
            (input.w + 2 * padding - kernel_width) / stride + 1, channels};
  }
};

/// Average pooling: stride = kernel, zero padding that counts in the average, no ceil mode.
struct AveragePooling {
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t padding_height = 0, padding_width = 0;

  Shape output_shape(const Shape& input) const {
    return {input.n, (input.h + 2 * padding_height - kernel_height) / kernel_height + 1,
            (input.w + 2 * padding_width - kernel_width) / kernel_width + 1, input.c};
  }
  bool is_identity() const { return kernel_height == 1 && kernel_width == 1; }
};

/// The shape after 2×2 max-pooling of stride 2 without padding: an odd last row or column is left out.
inline Shape max_pooled(const Shape& input) { return {input.n, input.h / 2, input.w / 2, input.c}; }

/// Dropout of whole channels: element (n, c) of the sequence {seed, dropout, stream, step} has index
/// (first_sample + n)·C + c, as StepState has it; the channel is dropped where the word is below dropout_threshold(probability), else scaled
/// by 1 / (1 − probability). On 1×1 maps that is the dropout of elements.
struct Dropout {
  double probability = 0;  // in [0, 1); 0 switches it off
  uint32_t stream = 0;     // the block's index
};

enum class HorizontalFlip {
  none,
  random,      // each image of a batch with probability 1/2
  alternating  // each image in every other epoch, as is_alternately_flipped() has it
};

/// Crop, flip, cutout and normalisation of byte images.
///
/// Image i of a batch uses the sequence {seed, augmentation, first_sample + i, step}, first_sample as in StepState. Word 0: crop row offset,
/// random_below(·, 2·padding + 1), within the image framed by `padding` black pixels; word 1: crop
/// column offset; word 2: under random flips, flipped left to right where below 2³¹; words 3 + 2k and 4 + 2k: row and
/// column of the centre of hole k, random_below(·, height) and random_below(·, width).
/// Cutout sets normalised values to 0 in rows [y − length/2, y + length/2) and the same columns, both
/// clipped to the image (integer division), after flip and crop.
struct Augmentation {
  int64_t crop_padding = 0;   // 0: no crop
  HorizontalFlip horizontal_flip = HorizontalFlip::none;
  int64_t holes = 0;          // 0: no cutout
  int64_t hole_length = 0;
};

/// images (N, H, W, C) ← normalise(augment(pixels[indices])): value = (byte / 255 − mean_c) / deviation_c.
struct LoadBatch {
  Tensor pixels;            // uint8; shape (dataset size, H, W, C), but in memory, as in files, (dataset size, C, H, W)
  Tensor dataset_labels;    // int32 vector (dataset size)
  Tensor indices;           // int32 vector (N), each below the dataset size
  Tensor mean, deviation;   // P vectors (C)
  Augmentation augmentation;
  Tensor images;            // out, A
  Tensor labels;            // out, int32 vector (N)
};

/// Mixup or cutmix of a batch's samples with each other, as draw_mix() in core/mixing.h draws for the step. With j the sample
/// that i is mixed with, and s the share:
///   mixup:  mixed_i = s · x_i + (1 − s) · x_j;
///   cutmix: mixed_i = x_j within the box, x_i elsewhere;
///   target_i = s · onehot(label_i) + (1 − s) · onehot(label_j).
/// Bytes: read images (a second time from the caches), write mixed.
struct MixBatch {
  Mixing mixing;
  Tensor images;           // A (N, H, W, C): all that are mixed with each other
  Tensor labels;           // int32 vector (N), below K
  int64_t first_row = 0;   // the outputs are those of the samples from this one on
  Tensor mixed;            // out, A (rows, H, W, C)
  Tensor targets;          // out, P (rows, K)
};

/// y = W ∗ x (+ bias), and moments of y, before or after it is rounded to A.
/// Bytes: read x, write y.
struct ConvolutionForward {
  enum class Moments {
    none,
    channel,         // mean and biased variance over N·positions; vectors (C)
    sample_channel   // mean and unbiased standard deviation over two or more positions; matrices (N, C)
  };
  Convolution convolution;
  Tensor x;               // A (N, H, W, I)
  Tensor weight;          // A (O, KH, KW, I)
  Tensor bias;            // P (O), or absent
  Tensor y;               // out, A (N, OH, OW, O)
  Moments moments = Moments::none;
  Tensor mean, spread;    // out, P; spread is the variance or the standard deviation
};

/// h = act(batch_norm(y) [+ shortcut]); pooled = average_pool(h); output = max_pool(dropout(h)).
/// batch_norm(y) = scale · (y − mean) / sqrt(variance + 1e-5) + shift.
/// Bytes: read y (and shortcut), write h and output.
struct NormalizeActivate {
  Tensor y;                                 // A (N, H, W, C)
  Tensor mean, variance;                    // P (C): of the batch in training, running in evaluation; absent: no batch norm
  Tensor scale, shift;                      // P (C)
  Tensor running_mean, running_variance;    // P (C): r ← (1 − m)·r + m·value, the variance unbiased (biased
                                            // where there is one value per channel); absent in evaluation
  double momentum = 0.1;
  int64_t statistics_samples = 0;           // samples behind mean and variance, where they are not only those of y; 0: of y
  Tensor shortcut;                          // A, as y
  double negative_slope = 0;                // act(v) = v > 0 ? v : slope · v; 0 is ReLU, 1 the identity
  Tensor h;                                 // out, A, as y
  AveragePooling average_pooling;
  Tensor pooled;                            // out, A (N, PH, PW, C), or absent
  Dropout dropout;
  bool max_pool = false;                    // as max_pooled() says
  Tensor output;                            // out, A; absent where it is h itself (no dropout, no max-pooling)
};

/// Moments of x alone, as ConvolutionForward gives those of y.
/// Bytes: read x.
struct MomentsOfTensor {
  ConvolutionForward::Moments moments = ConvolutionForward::Moments::channel;
  Tensor x;                // A
  Tensor mean, spread;     // out, P
};

/// logits = W·x + b; loss = mean over the batch of cross-entropy(softmax(logits), label); gradients of
/// gradient_scale · loss.
///
/// With label smoothing e the target of output k is q_k = (1 − e)·(k = label) + e/K, and the loss of a sample is
/// −Σ_k q_k · log p_k with p = softmax(logits) = exp(z − log Σ_j exp z_j). As the q_k sum to 1, that is
///   log Σ_j exp z_j − Σ_k q_k·z_k = log Σ_j exp z_j − (1 − e)·z_label − e · mean of z,
/// and its gradient at logit k is p_k − q_k. Errors are counted as without it.
///
/// With targets t in place of labels, a sample's target is q_k = (1 − e)·t_k + e/K, and the loss is
///   log Σ_j exp z_j − Σ_k q_k·z_k.
///
/// With a projection Q the K outputs are trained on a fixed random code of the label instead: the target
/// of output k is t = (Q[k, label] > 0), and loss = mean over all N·K logits of the binary cross-entropy
/// of sigmoid(logit) and t. Errors are not counted then.
/// With feedback B the gradient at x is d_logits · B instead of d_logits · W (feedback alignment); that
/// of W is the ordinary one.
struct ClassifierLoss {
  Tensor x;                // A (N, …): F features per sample, in memory order
  Tensor weight;           // A (K, …): F per output, in the same order
  Tensor bias;             // P (K)
  Tensor labels;           // int32 (N); absent, without targets: logits only
  Tensor targets;          // P (N, K): the share of each class in a sample, in place of labels; rows add up to 1
  Tensor projection;       // P (K, L): a code per label, in columns; or absent
  Tensor feedback;         // A, as weight, or absent
  double label_smoothing = 0;  // e, in [0, 1); 0 with a projection
  double gradient_scale = 1;
  Tensor d_weight, d_bias;  // out, P; absent: loss only
  Tensor d_x;              // out, A, as x, or absent
  Tensor logits;           // out, P (N, K), or absent
  Metrics* metrics = nullptr;  // device memory; prediction_loss and errors are added to
};

/// The similarity-matching loss. Each sample's vector is centred (its own mean subtracted) and divided
/// by (1e-8 + its Euclidean norm); R = X·Xᵀ clamped to [−1, 1]. R is drawn to one or two targets:
///   supervised loss   = mean over all N² entries of (R − T)²,  T = 1 for equal labels, −1/(K−1) otherwise,
///                       or, with a projection Q, the clamped similarity matrix of the codes Q[:, label],
///                       or, with targets in place of labels, that of the targets (of one-hot targets it is the T of labels);
///   unsupervised loss = mean of (R − T_x)², T_x the clamped similarity matrix of the features `input`.
/// Gradients of gradient_scale · supervised + input_scale · unsupervised loss, those of a zero centred
/// vector being 0.
///
/// R is symmetric, so its entries in some rows are enough for the gradient at these rows: an operation may be asked for a
/// part of the rows only. It then adds their part of the losses, and gives their gradient; those of all parts together are
/// what one operation gives for all rows.
/// Bytes: read x (and input), write d_x; the N×N matrices stay in cache.
struct SimilarityLoss {
  Tensor x;                // A or P (N, …): the features per sample
  int64_t first_row = 0, rows = 0;  // which rows are wanted; rows 0: all
  Tensor labels;           // int32 (N); absent, without targets: no supervised loss
  Tensor targets;          // P (N, K): the share of each class in a sample, in place of labels; without a projection
  int64_t classes = 0;     // K ≥ 2
  Tensor projection;       // P (code size, K), or absent
  double gradient_scale = 1;
  Tensor input;            // A or P (N, …); absent: no unsupervised loss
  double input_scale = 0;
  Tensor d_x;              // out, of the wanted rows, type of x, or absent
  Tensor similarity, target;  // out, P (rows, N), or absent: R and the supervised T, for inspection
  Metrics* metrics = nullptr;  // device memory; similarity_loss and unsupervised_loss are added to

  int64_t row_count() const { return rows > 0 ? rows : x.shape.n; }
  bool is_supervised() const { return labels || targets; }
};

/// The gradient of features that are standard deviations over positions:
///   d_x = d_deviation · (x − mean) / ((positions − 1) · deviation), 0 where deviation is 0.
/// Bytes: read x, write d_x.
struct DeviationGradient {
  Tensor x;                             // A (N, H, W, C), two or more positions
  Tensor mean, deviation, d_deviation;  // P (N, C)
  Tensor d_x;                           // out, A, as x
};

/// The block's input rebuilt from h: x̂ = act(decoder(h)); loss = mean over all elements of (x̂ − x)²;
/// gradients of gradient_scale · loss. The decoder is, for maps, the transposed convolution with the
/// block's own geometry (stride 1, same size) and a bias, x̂_pre[n, p + k − padding, i] += W[o, k, i] · h[n, p, o];
/// for 1×1 maps the linear map x̂_pre = W·h + b.
struct ReconstructionLoss {
  Convolution convolution;
  bool transposed = true;     // false: the linear map
  double negative_slope = 0;  // of act
  Tensor h;                   // A (N, H, W, C)
  Tensor x;                   // A (N, H, W, I)
  Tensor weight;              // A (C, KH, KW, I), or for the linear map (I, 1, 1, C)
  Tensor bias;                // P (I)
  double gradient_scale = 1;
  Tensor d_weight, d_bias;    // out, P
  Tensor d_h;                 // out, A, as h
  Metrics* metrics = nullptr;  // device memory; unsupervised_loss is added to
};

/// sum ← sum + addend. Bytes: read both, write sum.
struct AddTensor {
  Tensor addend;              // A
  Tensor sum;                 // in and out, A, of the same shape
};

/// The gradient at the block's pre-activation, from everything that depends on h:
///   dh = Vᵀ ∗ dz + average-unpool(d_pooled) + dropout'(max-unpool(d_output)) + d_h;  g = dh · act'(h)
/// with dz given (d_z), or affine in z where the similarity features are standard deviations:
///   dz = d_deviation · (z − mean) / ((positions − 1) · deviation), 0 where deviation is 0;
/// dV = the weight gradient of V for dz; d_shift = Σ g, d_scale = Σ g · ŷ with ŷ = (y − mean_y) / sqrt(variance_y + 1e-5).
/// act' uses the sign of h (the slope where h ≤ 0). max-unpool sends a window's gradient to its first
/// maximum in row order.
/// Bytes: where dz is affine in z, read z and write dz in its place, unless the products make it while they load; read dz
/// and h for dV; read dz, h and y and write g.
struct HiddenGradient {
  Tensor h;                          // A (N, H, W, C)
  double negative_slope = 0;

  Convolution similarity_convolution;  // same-size convolution, C → C
  Tensor similarity_weight;          // A (C, KH, KW, C); absent: no similarity branch
  Tensor z;                          // A, as h, given with either form of dz; consumed: its contents are undefined afterwards
  Tensor mean, deviation, d_deviation;  // P (N, C); absent: d_z is given
  Tensor d_z;                        // A, as h
  Tensor d_similarity_weight;        // out, P

  AveragePooling average_pooling;
  Tensor d_pooled;                   // A, or absent

  Dropout dropout;                   // of the forward pass
  bool max_pool = false;
  Tensor d_output;                   // A, shape of the block's output, or absent

  Tensor d_h;                        // A, as h, or absent

  Tensor g;                          // out, A, as h; in the place of h where gradient_replaces_h allows it

  Tensor y, mean_y, variance_y;      // absent without batch norm
  Tensor d_scale, d_shift;           // out, P (C); absent without batch norm
};

/// Batch-norm backward into the weight gradient (and, where wanted, the data gradient):
///   dy = scale / sqrt(variance + 1e-5) · (g − d_shift / M − ŷ · d_scale / M), M = N·positions; without batch norm dy = g;
///   dW = weight gradient for dy; d_bias = Σ dy, which is exactly 0 with batch norm; d_x = Wᵀ ∗ dy.
/// Bytes: with batch norm, read g and y and write dy in the place of g, unless the product makes it while it loads; read x
/// and dy for dW; for d_x, read dy and write d_x.
struct EncoderGradient {
  Convolution convolution;
  Tensor x;                          // A (N, H, W, I)
  Tensor weight;                     // A (O, KH, KW, I)
  Tensor g;                          // A (N, OH, OW, O); consumed, unless d_y is given
                                     // and lies elsewhere
  Tensor y, mean, variance, scale;   // absent without batch norm
  Tensor d_scale, d_shift;           // in, P (O)
  Tensor d_weight;                   // out, P
  Tensor d_bias;                     // out, P, or absent
  Tensor d_x;                        // out, A, or absent: the local method does not need it
  Tensor d_y;                        // out, A, as g, or absent; may be g itself
};

/// Batch-norm backward alone, as EncoderGradient does it on its way, plus what else arrives at y:
///   d_y = scale / sqrt(variance + 1e-5) · (g − d_shift / M − ŷ · d_scale / M) (+ addend), M = N·positions.
/// Bytes: read g, y (and addend), write d_y.
struct BatchNormGradient {
  Tensor g;                          // A (N, H, W, C)
  Tensor y, mean, variance, scale;
  Tensor d_scale, d_shift;           // in, P (C)
  Tensor addend;                     // A, as g, or absent
  Tensor d_y;                        // out, A, as g; may be g itself
};

/// Dropout of single elements: output = x · (0 or 1 / (1 − probability)). Element i in memory order has
/// index first_sample·features + i in the sequence {seed, dropout, stream, step}, first_sample as in StepState. The backward pass is the same with gradients.
/// Bytes: read x, write output.
struct DropElements {
  Tensor x;                          // A
  Dropout dropout;
  Tensor output;                     // out, A, as x
};

/// sum ← Σ values². Sums are accumulated in double. Bytes: |values|.
struct SumOfSquares {
  Tensor values;  // P vector
  Tensor sum;     // out, P vector of one element
};

/// One optimizer step over parameters of a block, one contiguous vector each: layerwise_optimizer has the formulas,
/// core/optimizer_rule.h the arithmetic.
struct OptimizerStep {
  layerwise_optimizer settings = default_optimizer;
  Tensor parameters;                 // P vector
  Tensor gradients;                  // P vector
  Tensor copy;                       // out, A vector: the new parameters rounded to A; absent where A is P
  Tensor first_moment;               // P vector: momentum buffer for sgd; absent for sgd without momentum
  Tensor second_moment;              // P vector: adam, amsgrad, adamw
  Tensor maximum_second_moment;      // P vector: amsgrad
  Tensor average;                    // P vector: with ema_decay or lookahead_steps
  Tensor squared_gradient_norm;      // P vector of one element: with clip_grad_norm, Σ of the block's squared gradients
  double* step_count = nullptr;      // device memory; incremented if `counts`, then used as t
  bool counts = true;                // false: another call for the same step has counted it
  double rate_factor = 1;            // of the learning rate
};

constexpr double batch_norm_epsilon = 1e-5;
constexpr double similarity_epsilon = 1e-8;

/// The list of operations: LAYERWISE_OPERATIONS(X) expands to X(load_batch, LoadBatch) X(convolution_forward, …) … All
/// declarations and calls that every operation needs are made from it, so a new operation is one line here.
#define LAYERWISE_OPERATIONS(X)                \
  X(load_batch, LoadBatch)                     \
  X(mix_batch, MixBatch)                       \
  X(convolution_forward, ConvolutionForward)   \
  X(moments_of_tensor, MomentsOfTensor)        \
  X(normalize_activate, NormalizeActivate)     \
  X(classifier_loss, ClassifierLoss)           \
  X(similarity_loss, SimilarityLoss)           \
  X(deviation_gradient, DeviationGradient)     \
  X(reconstruction_loss, ReconstructionLoss)   \
  X(add_tensor, AddTensor)                     \
  X(hidden_gradient, HiddenGradient)           \
  X(encoder_gradient, EncoderGradient)         \
  X(batch_norm_gradient, BatchNormGradient)    \
  X(drop_elements, DropElements)               \
  X(sum_of_squares, SumOfSquares)              \
  X(optimizer_step, OptimizerStep)

}  // namespace layerwise

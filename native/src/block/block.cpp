#include "block/block.h"

#include <utility>

#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

Block::Block(std::shared_ptr<Context> context, std::string name, uint32_t index, const Shape& input,
             const OptimizerSettings& optimizer)
    : context_(std::move(context)),
      name_(std::move(name)),
      input_(input),
      parameters_(context_, index, optimizer.rule, optimizer.momentum, optimizer.weight_decay),
      metrics_(context_, DataType::uint8, Shape::vector(sizeof(Metrics)), &Context::parameter_bytes) {}

BlockMetrics Block::metrics_so_far() const {
  Metrics sums;
  backend().copy_to_host(&sums, metrics(), sizeof sums);
  const double divisor = samples_ > 0 ? samples_ : 1;
  return {similarity_weight() * sums.similarity_loss / divisor, prediction_weight() * sums.prediction_loss / divisor,
          sums.unsupervised_loss / divisor, sums.errors, samples_};
}

BlockMetrics Block::read_metrics() {
  const BlockMetrics read = metrics_so_far();
  backend().fill_zero(metrics(), sizeof(Metrics));
  samples_ = 0;
  return read;
}

void Block::count_samples(int64_t samples) {
  context_->each_time([this, samples] { samples_ += static_cast<double>(samples); });
}

Activation Block::forward(const Activation&, const Labels&, const Tensor&) {
  fail(ErrorKind::invalid_argument, "the block has no forward and backward; use output_train_step");
}

PassedOn Block::backward(const Tensor&, bool, bool) {
  fail(ErrorKind::invalid_argument, "the block has no forward and backward; use output_train_step");
}

ArenaTensor Block::local_logits(const Tensor&, const Tensor&) {
  fail(ErrorKind::invalid_argument, "the block has no local classifier");
}

void Block::check_convolution(const Convolution& convolution, const Shape& input) {
  require(convolution.kernel_height > 0 && convolution.stride > 0 && convolution.padding >= 0,
          "kernel and stride must be positive and padding not negative");
  require(input.h + 2 * convolution.padding >= convolution.kernel_height &&
              input.w + 2 * convolution.padding >= convolution.kernel_width,
          "a ", convolution.kernel_height, "×", convolution.kernel_width, " convolution does not fit a ", input.h, "×",
          input.w, " map with padding ", convolution.padding);
}

void Block::check_input(const Tensor& x) const {
  Shape expected = input_;
  expected.n = x.shape.n;
  require(x.type == backend().activation_type() && x.shape == expected, "the input is ", x.shape.to_string(),
          ", but the block takes ", expected.to_string());
}

void Block::check_labels(const Tensor& x, const Labels& labels, int64_t classes) const {
  require(static_cast<bool>(labels.values), "training needs labels");
  require(labels.values.shape.elements() == x.shape.n, "there are ", labels.values.shape.elements(), " labels for ",
          x.shape.n, " samples");
  require(labels.limit <= classes, "there are labels up to ", labels.limit - 1, ", but the block has ", classes,
          " classes");
}

void Block::inspect_gradients(const ArenaTensor& gradients, Inspection& inspection) const {
  for (size_t i = 0; i < parameters_.parameter_count(); ++i)
    inspection["grad." + parameters_.parameter_name(i)] =
        download<float>(backend(), parameters_.gradient(gradients, i));
}

}  // namespace layerwise

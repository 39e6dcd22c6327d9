#include "block/block.h"

#include <utility>

#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

Block::Block(std::shared_ptr<Context> context, const BlockConfig& config)
    : context_(std::move(context)),
      name_(config.name),
      input_(config.input),
      parameters_(context_, config.index, config.optimizer),
      metrics_(context_, DataType::uint8, Shape::vector(sizeof(Metrics)), &Context::parameter_bytes) {}

BlockMetrics Block::metrics_so_far() const {
  Metrics sums;
  backend().copy_to_host(&sums, metrics(), sizeof sums);
  return {similarity_weight() * sums.similarity_loss, prediction_weight() * sums.prediction_loss,
          sums.unsupervised_loss, sums.errors, samples_};
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

ArenaTensor Block::local_logits(const Tensor&, const Labels&, const Tensor&, ArenaTensor*) {
  fail(ErrorKind::invalid_argument, "the block has no local classifier");
}

void Block::check_input(const Tensor& x) const {
  const Shape expected = input_.of_samples(x.shape.n);
  require(x.type == backend().activation_type() && x.shape == expected, "the input is ", x.shape.to_string(),
          ", but the block takes ", expected.to_string());
}

void Block::check_shortcut(const Tensor& shortcut, int64_t samples) const {
  if (!shortcut) return;
  const Shape maps = shortcut_shape(samples);
  require(maps.elements() > 0, "the block takes no shortcut");
  require(shortcut.shape == maps, "the shortcut is ", shortcut.shape.to_string(), ", but the block's maps are ",
          maps.to_string());
}

void Block::check_labels(const Tensor& x, const Labels& labels, int64_t classes) const {
  require(static_cast<bool>(labels.values), "training needs labels");
  const int64_t count = labels.are_mixed() ? labels.values.shape.n : labels.values.shape.elements();
  require(count == x.shape.n, "there are ", count, " labels for ", x.shape.n, " samples");
  require(!labels.are_mixed() || labels.limit == classes, "the mixed labels are of ", labels.limit,
          " classes, but the block has ", classes);
  require(labels.limit <= classes, "there are labels up to ", labels.limit - 1, ", but the block has ", classes,
          " classes");
}

void Block::inspect_gradients(const ArenaTensor& gradients, Inspection& inspection) const {
  data_parallel().sum_gradients(gradients);
  for (size_t i = 0; i < parameters_.parameter_count(); ++i)
    inspection["grad." + parameters_.parameter_name(i)] =
        download<float>(backend(), parameters_.gradient(gradients, i));
}

}  // namespace layerwise

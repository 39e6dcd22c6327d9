#include "data_parallel_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "block_support.h"
#include "context/data_set.h"
#include "processes/host_collectives.h"
#include "processes_in_threads.h"
#include "small_residual_network.h"

namespace layerwise::testing {

std::vector<Slice> slices_of(const Split& split, int rank, bool same_images) {
  std::vector<Slice> slices;
  for (const std::vector<int64_t>& sizes : split)
    slices.push_back({std::accumulate(sizes.begin(), sizes.begin() + rank, int64_t{0}), sizes[static_cast<size_t>(rank)],
                      same_images ? 1 : static_cast<uint32_t>(slices.size() + 1)});
  return slices;
}

SliceOfBatch::SliceOfBatch(const std::shared_ptr<Context>& context, const Shape& sample, const Slice& slice) {
  Backend& backend = context->backend();
  ArenaTensor images = backend.arena().take(backend.activation_type(), sample.of_samples(slice.count));
  const std::vector<float> values = random_values(9 * sample.features(), slice.images);
  upload(backend, values.data() + slice.first * sample.features(), images.view());
  x = std::make_shared<const ArenaTensor>(std::move(images));
  std::vector<int32_t> classes;
  for (int64_t i = 0; i < slice.count; ++i) classes.push_back(static_cast<int32_t>((slice.first + i) % 3));
  memory = backend.arena().take(DataType::int32, Shape::vector(slice.count));
  upload(backend, classes.data(), memory.view());
  labels = {memory.view(), 3};
}

Values values_of(Backend& backend, const Tensor& tensor) { return download<double>(backend, tensor); }

void begin_step(Context& context, size_t step, const Slice& slice) {
  context.set_batch(slice.count);
  context.set_step(step, 0.125);
}

layerwise_optimizer momentum() {
  layerwise_optimizer settings = default_optimizer;
  settings.optim = LAYERWISE_OPTIM_SGD;
  settings.momentum = 0.5;
  settings.clip_grad_norm = 0.5;  // goes by the gradients of all processes
  settings.lr_mult_batch_norm = 2;
  settings.ema_decay = 0.75;
  return settings;
}

namespace {

/// Reads the tensor, but on a device that may be recording the step.
void keep_row(Backend& backend, const Tensor& tensor, Results& results) {
  if (!backend.can_record()) results.rows.push_back(values_of(backend, tensor));
}

void keep_tensors(Backend& backend, const Block& block, Results& results) {
  const Parameters& parameters = block.parameters();
  size_t numbers[2] = {0, 0};
  for (const Parameters::Info& info : parameters.tensors()) {
    if (info.role == Parameters::Role::optimizer_state) continue;
    const bool trained = info.role == Parameters::Role::parameter;
    const size_t number = numbers[trained ? 0 : 1]++;
    results.same[block.name() + "." + info.name] =
        values_of(backend, trained ? parameters.parameter(number) : parameters.buffer(number));
  }
}

void keep_metrics(Block& block, Results& results) {
  const BlockMetrics read = block.read_metrics();
  results.metrics.similarity_loss += read.similarity_loss;
  results.metrics.prediction_loss += read.prediction_loss;
  results.metrics.unsupervised_loss += read.unsupervised_loss;
  results.metrics.errors += read.errors;
  results.metrics.samples += read.samples;
}

/// As NativeContext.step (Java) does it.
void do_step(Context& context, const Slice& slice, Results& results, const std::function<void()>& body) {
  for (bool again = true; again;) {
    if (context.begin_step(slice.count)) {
      ++results.replayed;
      return;
    }
    body();
    again = context.end_step();
  }
}

/// One block, trained by its own losses.
template <class BlockType, class Config>
Training local_training(Config config) {
  config.optimizer = momentum();
  return [config](const std::shared_ptr<Context>& context, const std::vector<Slice>& slices, Results& results) {
    BlockType block(context, config);
    for (size_t step = 0; step < slices.size(); ++step) {
      begin_step(*context, step, slices[step]);
      do_step(*context, slices[step], results, [&] {
        const SliceOfBatch batch(context, config.input, slices[step]);
        const ArenaTensor output = block.train_step(*batch.x, batch.labels, {}, nullptr);
        keep_row(context->backend(), output, results);
      });
    }
    keep_tensors(context->backend(), block, results);
    keep_metrics(block, results);
  };
}

/// A residual network: by backpropagation, or also by local losses (no_detach).
Training residual_training(bool local_losses, bool affine) {
  return [=](const std::shared_ptr<Context>& context, const std::vector<Slice>& slices, Results& results) {
    SmallResidualNetworkConfig config(local_losses, momentum());
    config.head.affine = affine;
    SmallResidualNetwork network(context, config);
    for (size_t step = 0; step < slices.size(); ++step) {
      begin_step(*context, step, slices[step]);
      do_step(*context, slices[step], results, [&] {
        const SliceOfBatch batch(context, config.first.input, slices[step]);
        const SmallResidualNetwork::Passed passed = network.train_step(batch.x, batch.labels, true);
        keep_row(context->backend(), *passed.logits, results);
        keep_row(context->backend(), passed.below.d_input, results);
      });
    }
    for (Block* block : network.blocks()) {
      keep_tensors(context->backend(), *block, results);
      keep_metrics(*block, results);
    }
  };
}

/// A data set of nine images, of classes 0, 1, 2, 0, …
struct NineImages {
  explicit NineImages(const std::shared_ptr<Context>& context)
      : images(context, shape, pixels().data(), std::vector<int32_t>{0, 1, 2, 0, 1, 2, 0, 1, 2}.data(), 3,
               std::vector<float>(3, 0.5f).data(), std::vector<float>(3, 0.25f).data(), false) {}

  void choose(const Slice& slice) {
    std::vector<int32_t> chosen(static_cast<size_t>(slice.count));
    std::iota(chosen.begin(), chosen.end(), static_cast<int32_t>(slice.first));
    images.choose(chosen.data(), slice.count);
  }

  static std::vector<uint8_t> pixels() {
    std::vector<uint8_t> pixels(static_cast<size_t>(shape.elements()));
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 251);
    return pixels;
  }

  static constexpr Shape shape{9, 6, 6, 3};
  DataSet images;
};

/// A block, trained on images that are mixed with those of all processes.
void train_on_mixed(const Mixing& mixing, const std::shared_ptr<Context>& context, const std::vector<Slice>& slices,
                    Results& results) {
  NineImages data(context);
  LocalBlockConfig config = small_convolution_block();
  config.input = NineImages::shape.of_samples(1);
  config.loss.label_smoothing = 0.125;
  config.optimizer = momentum();
  LocalBlock block(context, config);
  for (size_t step = 0; step < slices.size(); ++step) {
    begin_step(*context, step, slices[step]);
    data.choose(slices[step]);
    do_step(*context, slices[step], results, [&] {
      const DataSet::Batch batch = data.images.batch({1, HorizontalFlip::random, 0, 0}, mixing);
      keep_row(context->backend(), batch.images, results);
      keep_row(context->backend(), batch.labels, results);
      const ArenaTensor output = block.train_step(batch.images, {batch.labels, 3}, {}, nullptr);
      keep_row(context->backend(), output, results);
    });
  }
  keep_tensors(context->backend(), block, results);
  keep_metrics(block, results);
}

/// Augmented images of a data set: every image of the batch has the random numbers of its place in the whole batch. Each
/// step is in an epoch of its own.
void load_augmented(HorizontalFlip flip, const std::shared_ptr<Context>& context, const std::vector<Slice>& slices,
                    Results& results) {
  NineImages data(context);
  for (size_t step = 0; step < slices.size(); ++step) {
    begin_step(*context, step, slices[step]);
    context->set_epoch(step + 1);
    data.choose(slices[step]);
    const DataSet::Batch batch = data.images.batch({2, flip, 1, 3});
    results.rows.push_back(values_of(context->backend(), batch.images));
  }
}

}  // namespace

std::vector<TrainingCase> training_cases() {
  std::vector<TrainingCase> cases;
  const auto add = [&](const char* name, const LocalBlockConfig& config) {
    cases.push_back({name, local_training<LocalBlock>(config)});
  };
  LocalBlockConfig config = small_convolution_block();
  add("conv_predsim", config);
  config.loss.loss = LocalLoss::pred;
  add("conv_pred", config);
  config.loss.loss = LocalLoss::sim;
  add("conv_sim", config);
  config.loss.similarity_std = false;
  add("conv_sim_flat", config);
  config = small_convolution_block();
  config.batch_norm = false;
  add("conv_no_batch_norm", config);
  config = small_linear_block({1, 8, 8, 2});
  add("linear_predsim_over_map", config);
  config = small_convolution_block();
  config.input.c = 5;  // more than 3 channels: deviations of the input
  config.loss.unsupervised = UnsupervisedLoss::sim;
  config.loss.alpha = 0.3;
  add("conv_predsim_and_similarity_to_input", config);
  config.loss.unsupervised = UnsupervisedLoss::recon;
  config.loss.loss = LocalLoss::pred;
  add("conv_pred_and_reconstruction", config);
  config = small_linear_block({1, 1, 1, 9});
  config.loss.unsupervised = UnsupervisedLoss::recon;
  config.loss.alpha = 0.6;
  add("linear_predsim_and_reconstruction", config);
  config = small_convolution_block();
  config.loss.bio = true;
  config.loss.target_proj_size = 6;
  add("conv_bio_predsim", config);
  config.loss.unsupervised = UnsupervisedLoss::sim;
  config.loss.alpha = 0.3;
  config.loss.similarity_std = false;
  add("conv_bio_flat_and_similarity_to_input", config);
  cases.push_back({"preactivation", local_training<PreactivationBlock>(small_preactivation_block(0, {1, 8, 8, 4}, momentum()))});
  cases.push_back({"backprop", residual_training(false, true)});
  cases.push_back({"no_detach", residual_training(true, true)});
  cases.push_back({"no_detach_head_without_scale", residual_training(true, false)});
  for (const auto& [name, flip] : {std::pair{"augmentation", HorizontalFlip::random},
                                   std::pair{"alternating_flip", HorizontalFlip::alternating}})
    cases.push_back({name, [flip = flip](const auto& context, const auto& slices, Results& results) {
                       load_augmented(flip, context, slices, results);
                     }});
  for (const auto& [name, mixing] : {std::pair{"mixup", Mixing{1, 0}}, std::pair{"cutmix", Mixing{0, 1}}})
    cases.push_back({name, [mixing = mixing](const auto& context, const auto& slices, Results& results) {
                       train_on_mixed(mixing, context, slices, results);
                     }});
  return cases;
}

Results alone(const TrainingCase& training_case, const Open& open, const Split& whole_batches, bool same_images) {
  Results results;
  std::unique_ptr<Backend> backend = open();
  backend->enter();
  training_case.training(std::make_shared<Context>(std::move(backend), 7), slices_of(whole_batches, 0, same_images),
                         results);
  return results;
}

Results in_parallel(const TrainingCase& training_case, const Open& open, const Split& split, bool same_images) {
  const auto size = split[0].size();
  std::vector<Results> of(size);
  in_processes(static_cast<int>(size), [&](const std::shared_ptr<Communicator>& communicator) {
    const int rank = communicator->rank();
    std::unique_ptr<Backend> backend = open();
    backend->enter();
    std::unique_ptr<Collectives> collectives =
        backend->open_collectives(std::make_unique<HostCollectives>(communicator));
    const auto context = std::make_shared<Context>(std::move(backend), 7, false, std::move(collectives));
    training_case.training(context, slices_of(split, rank, same_images), of[static_cast<size_t>(rank)]);
  });
  Results all = of[0];
  for (size_t rank = 1; rank < size; ++rank) {
    EXPECT_EQ(of[rank].same, all.same) << "rank " << rank;  // to the bit
    for (size_t i = 0; i < all.rows.size(); ++i)
      all.rows[i].insert(all.rows[i].end(), of[rank].rows[i].begin(), of[rank].rows[i].end());
    all.metrics.similarity_loss += of[rank].metrics.similarity_loss;
    all.metrics.prediction_loss += of[rank].metrics.prediction_loss;
    all.metrics.unsupervised_loss += of[rank].metrics.unsupervised_loss;
    all.metrics.errors += of[rank].metrics.errors;
    all.metrics.samples += of[rank].metrics.samples;
  }
  return all;
}

std::map<std::string, Values> all_values(const Results& results) {
  std::map<std::string, Values> values = results.same;
  for (size_t i = 0; i < results.rows.size(); ++i) values["rows " + std::to_string(i)] = results.rows[i];
  values["metrics"] = {results.metrics.similarity_loss, results.metrics.prediction_loss,
                       results.metrics.unsupervised_loss, results.metrics.errors, results.metrics.samples};
  return values;
}

double difference(const Values& of, const Values& from) {
  double largest = 0.1, error = 0;
  if (of.size() != from.size()) return std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < of.size(); ++i) {
    largest = std::max(largest, std::fabs(from[i]));
    const double apart = std::fabs(of[i] - from[i]);
    if (!(apart <= error)) error = std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
  }
  return error / largest;
}

}  // namespace layerwise::testing

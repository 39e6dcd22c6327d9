#include "operation_cases.h"

namespace layerwise::test {

namespace {

using Flip = HorizontalFlip;

struct LoadCase {
  std::string name;
  Shape image;  // n is the batch's size
  Augmentation augmentation;
  int64_t first_sample = 0;  // other processes have the ones before
  uint64_t epoch = 1;
};

void run_load_batch(Operands& operands, const LoadCase& load) {
  StepState state;
  state.seed = 0xfedcba9876543210u;
  state.step = 0x100000003u;
  state.first_sample = load.first_sample;
  state.epoch = load.epoch;
  operands.backend().set_step_state(state);

  const int64_t dataset_size = 11;
  LoadBatch op;
  op.pixels = operands.bytes({dataset_size, load.image.h, load.image.w, load.image.c});
  op.dataset_labels = operands.integers(dataset_size, 100);
  op.indices = operands.integers(load.image.n, dataset_size);
  op.mean = operands.parameter(Shape::vector(load.image.c), 0.25, 0.5);
  op.deviation = operands.parameter(Shape::vector(load.image.c), 0.25, 0.5);
  op.augmentation = load.augmentation;
  op.images = operands.activation_output("images", load.image, {3, 0});
  op.labels = operands.output("labels", DataType::int32, Shape::vector(load.image.n), {0, 0});
  operands.backend().load_batch(op);
}

struct MixCase {
  std::string name;
  Shape images;  // n is the number of samples that are mixed with each other
  Mixing mixing;
  int64_t classes = 10;
  int64_t first_row = 0, rows = 0;  // of the outputs; rows 0: all
  uint64_t step = 3;
};

/// Weighted sums of two images, and of two shares at most.
void run_mix_batch(Operands& operands, const MixCase& mix) {
  StepState state;
  state.seed = 0xfedcba9876543210u;
  state.step = mix.step;
  operands.backend().set_step_state(state);

  MixBatch op;
  op.mixing = mix.mixing;
  op.images = operands.activation(mix.images);
  op.labels = operands.integers(mix.images.n, mix.classes);
  op.first_row = mix.first_row;
  const int64_t rows = mix.rows > 0 ? mix.rows : mix.images.n;
  op.mixed = operands.activation_output("mixed", mix.images.of_samples(rows), {3, 0, 1});
  op.targets = operands.parameter_output("targets", Shape::matrix(rows, mix.classes), {1, 0, 0});
  operands.backend().mix_batch(op);
}

struct OptimizerCase {
  std::string name;
  layerwise_optimizer settings;
  double steps_before;
  int64_t parameters = 1003;
  bool counts = true;
  double rate_factor = 1;
};

void run_sum_of_squares(Operands& operands, int64_t elements) {
  SumOfSquares op;
  op.values = operands.parameter(Shape::vector(elements), -1, 1);
  op.sum = operands.output("sum", operands.backend().parameter_type(), Shape::vector(1), {1, 0});
  operands.backend().sum_of_squares(op);
}

layerwise_optimizer optimizer(layerwise_optim optim, double momentum = 0, double weight_decay = 0) {
  layerwise_optimizer settings = default_optimizer;
  settings.optim = optim;
  settings.momentum = momentum;
  settings.weight_decay = weight_decay;
  return settings;
}

void run_optimizer_step(Operands& operands, const OptimizerCase& optimizer) {
  StepState state;
  state.learning_rate = 0.5;  // changes of the size of the parameters, so that their error shows
  operands.backend().set_step_state(state);

  const Shape shape = Shape::vector(optimizer.parameters);
  const bool adaptive = optimizer.settings.optim != LAYERWISE_OPTIM_SGD;
  const bool first_step = optimizer.steps_before == 0;  // moments start at zero
  OptimizerStep op;
  op.settings = optimizer.settings;
  op.parameters = operands.updated("parameters", shape, -1, 1, {8, 0, 0});
  op.gradients = operands.parameter(shape, -0.5, 0.5);
  if (adaptive || optimizer.settings.momentum != 0) {
    const double size = first_step ? 0 : 0.25;
    op.first_moment = operands.updated("first_moment", shape, -size, size, {4, 0, 0});
  }
  if (adaptive) op.second_moment = operands.updated("second_moment", shape, 0, first_step ? 0 : 0.25, {4, 0, 0});
  if (optimizer.settings.optim == LAYERWISE_OPTIM_AMSGRAD) {
    op.maximum_second_moment =
        operands.updated("maximum_second_moment", shape, 0, first_step ? 0 : 0.25, {4, 0, 0});
  }
  if (optimizer.settings.ema_decay != 0 || optimizer.settings.lookahead_steps != 0)
    op.average = operands.updated("average", shape, -1, 1, {12, 0, 0});
  if (optimizer.settings.clip_grad_norm != 0) op.squared_gradient_norm = operands.parameter(Shape::vector(1), 50, 60);
  op.counts = optimizer.counts;
  op.rate_factor = optimizer.rate_factor;
  if (operands.narrow()) op.copy = operands.activation_output("copy", shape, {8, 0});
  op.step_count = operands.counter(optimizer.steps_before);
  operands.backend().optimizer_step(op);
}

}  // namespace

void add_training_cases(std::vector<OperationCase>& cases) {
  const std::vector<LoadCase> loads = {
      {"plain", {5, 6, 7, 3}, {}},
      {"gray_one_image", {1, 28, 28, 1}, {}},
      {"crop", {33, 8, 8, 3}, {2, Flip::none, 0, 0}},
      {"flip", {100, 5, 7, 1}, {0, Flip::random, 0, 0}},
      {"cutout", {9, 9, 8, 3}, {0, Flip::none, 1, 4}},
      {"cutout_odd_length", {5, 9, 9, 1}, {0, Flip::none, 2, 5}},
      {"cutout_of_everything", {3, 6, 6, 3}, {0, Flip::none, 3, 16}},
      {"crop_flip_cutout", {16, 32, 32, 3}, {4, Flip::random, 1, 16}},
      {"crop_flip_cutout_of_later_samples", {5, 9, 8, 3}, {2, Flip::random, 1, 4}, 7},
      {"alternating_flip", {100, 5, 7, 1}, {0, Flip::alternating, 0, 0}},
      {"alternating_flip_in_even_epoch", {100, 5, 7, 1}, {0, Flip::alternating, 0, 0}, 0, 4},
      {"crop_alternating_flip_cutout_of_later_samples", {16, 32, 32, 3}, {4, Flip::alternating, 1, 16}, 5, 3},
      {"crop_wider_than_image", {7, 3, 3, 1}, {5, Flip::random, 1, 2}},
  };
  for (const LoadCase& load : loads) {
    cases.push_back({"load_batch_" + load.name, [=](Operands& operands) { run_load_batch(operands, load); }});
  }

  const std::vector<MixCase> mixes = {
      {"mixup", {9, 8, 8, 3}, {1, 0}},
      {"mixup_of_little", {16, 5, 7, 1}, {0.2, 0}, 100},
      {"cutmix", {9, 8, 8, 3}, {0, 1}},
      {"cutmix_of_odd_images", {5, 9, 7, 1}, {0, 0.5}, 2},
      {"cutmix_of_many_elements", {33, 32, 32, 3}, {0, 1}, 1000},
      {"either_is_mixup", {7, 6, 6, 3}, {1, 1}, 10, 0, 0, 0},
      {"either_is_cutmix", {7, 6, 6, 3}, {1, 1}, 10, 0, 0, 1},
      {"mixup_of_later_samples", {9, 8, 8, 3}, {1, 0}, 10, 4, 5},
      {"cutmix_of_first_samples", {9, 8, 8, 3}, {0, 1}, 10, 0, 2},
      {"mixup_of_one_image", {1, 28, 28, 1}, {1, 0}},
  };
  for (const MixCase& mix : mixes) {
    cases.push_back({"mix_batch_" + mix.name, [=](Operands& operands) { run_mix_batch(operands, mix); }});
  }

  layerwise_optimizer nesterov = optimizer(LAYERWISE_OPTIM_SGD, 0.875);
  nesterov.nesterov = 1;
  const auto clipped = [](double norm) {
    layerwise_optimizer settings = optimizer(LAYERWISE_OPTIM_ADAM);
    settings.clip_grad_norm = norm;
    return settings;
  };
  const auto averaged = [](double ema_decay, int32_t lookahead_steps) {
    layerwise_optimizer settings = optimizer(LAYERWISE_OPTIM_ADAM);
    settings.ema_decay = ema_decay;
    settings.lookahead_steps = lookahead_steps;
    return settings;
  };
  const std::vector<OptimizerCase> optimizers = {
      {"sgd", optimizer(LAYERWISE_OPTIM_SGD), 0},
      {"sgd_momentum", optimizer(LAYERWISE_OPTIM_SGD, 0.875), 5},
      {"sgd_momentum_decay", optimizer(LAYERWISE_OPTIM_SGD, 0.5, 0.0625), 5},
      {"adam_first_step", optimizer(LAYERWISE_OPTIM_ADAM), 0},
      {"adam", optimizer(LAYERWISE_OPTIM_ADAM), 9},
      {"adam_decay_one_parameter", optimizer(LAYERWISE_OPTIM_ADAM, 0, 0.125), 1000, 1},
      {"amsgrad_first_step", optimizer(LAYERWISE_OPTIM_AMSGRAD), 0},
      {"amsgrad", optimizer(LAYERWISE_OPTIM_AMSGRAD), 9},
      {"sgd_nesterov", nesterov, 5},
      {"adamw", optimizer(LAYERWISE_OPTIM_ADAMW, 0, 0.125), 9},
      {"adam_clipped", clipped(4), 9},  // the norm is above 7
      {"adam_not_clipped", clipped(9), 9},
      {"adam_part_of_a_step", optimizer(LAYERWISE_OPTIM_ADAM), 9, 1003, false, 0.25},
      {"adam_ema_second_step", averaged(0.875, 0), 1},  // the average's rate is still 1 − 3/12
      {"adam_ema", averaged(0.875, 0), 500},
      {"adam_lookahead_between", averaged(0, 5), 8},
      {"adam_lookahead", averaged(0, 5), 9},
      {"amsgrad_decay", optimizer(LAYERWISE_OPTIM_AMSGRAD, 0, 0.125), 100000},
  };
  for (const int64_t elements : {1, 1003, 70001}) {
    cases.push_back({"sum_of_squares_" + std::to_string(elements),
                     [=](Operands& operands) { run_sum_of_squares(operands, elements); }});
  }
  for (const OptimizerCase& step : optimizers) {
    cases.push_back({"optimizer_step_" + step.name, [=](Operands& operands) { run_optimizer_step(operands, step); }});
  }
}

}  // namespace layerwise::test

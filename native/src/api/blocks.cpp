// The C API: blocks. Handles, validation and exception → status; no arithmetic.
#include <algorithm>
#include <initializer_list>

#include "api/handles.h"
#include "block/head.h"
#include "block/local_block.h"
#include "block/output_layer.h"
#include "block/preactivation_block.h"

using namespace layerwise;

namespace {

template <class Enum>
Enum checked_enum(int32_t value, int32_t last, const char* what) {
  require(value >= 0 && value <= last, what, " ", value, " is unknown");
  return static_cast<Enum>(value);
}

LocalLoss loss_of(int32_t value) {
  switch (checked_enum<layerwise_loss>(value, LAYERWISE_LOSS_PREDSIM, "loss")) {
    case LAYERWISE_LOSS_NONE: return LocalLoss::none;
    case LAYERWISE_LOSS_PRED: return LocalLoss::pred;
    case LAYERWISE_LOSS_SIM: return LocalLoss::sim;
    case LAYERWISE_LOSS_PREDSIM: break;
  }
  return LocalLoss::predsim;
}

UnsupervisedLoss unsupervised_of(int32_t value) {
  switch (checked_enum<layerwise_loss_unsup>(value, LAYERWISE_LOSS_UNSUP_RECON, "unsupervised loss")) {
    case LAYERWISE_LOSS_UNSUP_NONE: return UnsupervisedLoss::none;
    case LAYERWISE_LOSS_UNSUP_SIM: return UnsupervisedLoss::sim;
    case LAYERWISE_LOSS_UNSUP_RECON: break;
  }
  return UnsupervisedLoss::recon;
}

const layerwise_optimizer& checked(const layerwise_optimizer& optimizer) {
  checked_enum<layerwise_optim>(optimizer.optim, LAYERWISE_OPTIM_ADAMW, "optimizer");
  const auto require_not_negative = [](double value, const char* name) {
    require(value >= 0, name, " must not be negative, but is ", value);
  };
  require_not_negative(optimizer.weight_decay, "weight decay");
  require_not_negative(optimizer.clip_grad_norm, "the norm that gradients are clipped to");
  require_not_negative(optimizer.lr_mult_batch_norm, "the factor of batch norm's learning rate");
  require_not_negative(optimizer.lr_mult_classifiers, "the factor of the classifiers' learning rate");
  require_not_negative(optimizer.lookahead_steps, "the number of lookahead's steps");
  require(optimizer.momentum >= 0 && optimizer.momentum < 1, "momentum must be in [0, 1), not ", optimizer.momentum);
  require(optimizer.ema_decay >= 0 && optimizer.ema_decay < 1, "ema_decay must be in [0, 1), not ", optimizer.ema_decay);
  require(optimizer.ema_decay == 0 || optimizer.lookahead_steps == 0, "ema_decay and lookahead_steps exclude each other");
  require(optimizer.lookahead_alpha > 0 && optimizer.lookahead_alpha <= 1, "lookahead_alpha must be in (0, 1], not ",
          optimizer.lookahead_alpha);
  return optimizer;
}

double label_smoothing_of(const layerwise_losses& losses) {
  require(losses.label_smoothing >= 0 && losses.label_smoothing < 1, "label smoothing must be in [0, 1), not ",
          losses.label_smoothing);
  return losses.label_smoothing;
}

LocalLossConfig local_losses_of(const layerwise_losses& losses) {
  LocalLossConfig config;
  config.loss = loss_of(losses.loss);
  config.beta = losses.beta;
  config.label_smoothing = label_smoothing_of(losses);
  config.alpha = losses.alpha;
  config.unsupervised = unsupervised_of(losses.loss_unsup);
  config.bio = losses.bio != 0;
  config.target_proj_size = losses.target_proj_size;
  config.dim_in_decoder = losses.dim_in_decoder;
  config.similarity_std = losses.similarity_std != 0;
  config.classes = losses.classes;
  return config;
}

// What every kind of block's config has.
template <class Config>
Config common_config(const layerwise_block_config& from) {
  Config config;
  config.name = from.name;
  config.index = static_cast<uint32_t>(from.index);
  config.input = {1, from.geometry.in_height, from.geometry.in_width, from.geometry.in_channels};
  config.optimizer = checked(from.optimizer);
  return config;
}

// What the config of every block with a convolution has.
template <class Config>
Config encoder_config(const layerwise_block_config& from) {
  Config config = common_config<Config>(from);
  config.out_channels = from.geometry.out_channels;
  config.convolution = {from.geometry.kernel, from.geometry.kernel, from.geometry.stride, from.geometry.padding};
  config.bias = from.bias != 0;
  config.negative_slope = from.negative_slope;
  config.dropout = from.dropout;
  config.loss = local_losses_of(from.losses);
  return config;
}

LocalBlockConfig local_config(const layerwise_block_config& from) {
  auto config = encoder_config<LocalBlockConfig>(from);
  config.linear = from.kind == LAYERWISE_LINEAR;
  config.batch_norm = from.batch_norm != 0;
  config.max_pool = from.max_pool != 0;
  return config;
}

// A convolution block without nonlinearity and losses, under PyTorch's names for a sequence of two layers.
LocalBlockConfig shortcut_config(const layerwise_block_config& from) {
  auto config = encoder_config<LocalBlockConfig>(from);
  config.batch_norm = from.batch_norm != 0;
  config.negative_slope = 1;
  config.dropout = 0;
  config.loss.loss = LocalLoss::none;
  config.encoder_name = "0.";
  config.norm_name = "1.";
  return config;
}

PreactivationBlockConfig preactivation_config(const layerwise_block_config& from) {
  auto config = encoder_config<PreactivationBlockConfig>(from);
  config.normalize_input = from.normalize_input != 0;
  config.input_dropout = from.input_dropout;
  return config;
}

HeadConfig head_config(const layerwise_block_config& from) {
  auto config = common_config<HeadConfig>(from);
  config.batch_norm = from.batch_norm != 0;
  config.affine = from.affine != 0;
  config.norm_momentum = from.norm_momentum;
  config.negative_slope = from.negative_slope;
  config.average_pool = from.average_pool;
  config.max_pool = from.max_pool != 0;
  return config;
}

OutputLayerConfig output_config(const layerwise_block_config& from) {
  auto config = common_config<OutputLayerConfig>(from);
  config.classes = from.geometry.out_channels;
  config.label_smoothing = label_smoothing_of(from.losses);
  config.loss_scale = from.loss_scale;
  config.zero_start = from.zero_start != 0;
  return config;
}

std::unique_ptr<Block> make_block(const std::shared_ptr<Context>& context, const layerwise_block_config& config) {
  require(config.index >= 0 && config.index < (1 << 25), "the block's index must be in 0 … 2²⁵ − 1, not ",
          config.index);
  const layerwise_geometry& geometry = config.geometry;
  require(geometry.in_channels > 0 && geometry.in_height > 0 && geometry.in_width > 0, "the input is ",
          geometry.in_channels, "×", geometry.in_height, "×", geometry.in_width, "; every dimension must be positive");
  switch (checked_enum<layerwise_block_kind>(config.kind, LAYERWISE_HEAD, "kind of block")) {
    case LAYERWISE_OUTPUT: return std::make_unique<OutputLayer>(context, output_config(config));
    case LAYERWISE_PREACTIVATION: return std::make_unique<PreactivationBlock>(context, preactivation_config(config));
    case LAYERWISE_SHORTCUT: return std::make_unique<LocalBlock>(context, shortcut_config(config));
    case LAYERWISE_HEAD: return std::make_unique<Head>(context, head_config(config));
    case LAYERWISE_CONVOLUTION:
    case LAYERWISE_LINEAR: break;
  }
  return std::make_unique<LocalBlock>(context, local_config(config));
}

const char* name_of(const layerwise_block* block) { return block == nullptr ? nullptr : block->block->name().c_str(); }

Labels labels_of(const layerwise_tensor* labels) {
  if (labels == nullptr) return {};
  require(labels->label_limit > 0, "the labels are not a tensor of labels");
  return {labels->view(), labels->label_limit};
}

Tensor optional_view(const layerwise_tensor* tensor) { return tensor == nullptr ? Tensor{} : tensor->view(); }

// Tensors of another context lie in memory that this block's device may not see.
void check_context(const layerwise_block& block, std::initializer_list<const layerwise_tensor*> tensors) {
  for (const layerwise_tensor* tensor : tensors)
    require(tensor == nullptr || tensor->context == block.context, "a tensor belongs to another context");
}

// Runs the body of a C function that computes on the block's device, reading these tensors.
template <class Body>
layerwise_status on_device(const layerwise_block* block, std::initializer_list<const layerwise_tensor*> tensors,
                           const Body& body) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), tensors);
    block->context->backend().enter();
    body(*block->block);
  });
}

// Makes a handle of a result that was wanted.
void hand_over(const layerwise_block* block, ArenaTensor&& tensor, layerwise_tensor** handle) {
  if (handle != nullptr) *handle = make_handle(block->context, std::move(tensor));
}

void require_two_halves(const layerwise_block* block) {
  require(block->kind != LAYERWISE_OUTPUT, "the block has no forward and backward; use output_train_step");
}

const std::vector<float>& inspected(const layerwise_block* block, const char* name) {
  const Inspection& inspection = given(block, "block").inspection;
  const auto found = inspection.find(&given(name, "name"));
  require(found != inspection.end(), "nothing called '", name, "' was inspected");
  return found->second;
}

}  // namespace

// ---- life -----------------------------------------------------------------------------------------

void layerwise_block_config_defaults(layerwise_block_config* config) {
  if (config == nullptr) return;
  *config = {};
  config->kind = LAYERWISE_CONVOLUTION;
  config->geometry.kernel = 3;
  config->geometry.stride = 1;
  config->geometry.padding = 1;
  config->bias = 1;
  config->batch_norm = 1;
  config->normalize_input = 1;
  config->average_pool = 1;
  config->affine = 1;
  config->norm_momentum = 0.1;
  config->loss_scale = 1;
  config->zero_start = 1;
  config->losses.loss = LAYERWISE_LOSS_PREDSIM;
  config->losses.beta = 0.99;
  config->losses.target_proj_size = 128;
  config->losses.dim_in_decoder = 4096;
  config->losses.similarity_std = 1;
  config->optimizer = default_optimizer;
}

layerwise_status layerwise_block_create(layerwise_context* context, const layerwise_block_config* config,
                                        layerwise_block** block) {
  return guarded(config == nullptr ? nullptr : config->name, [&] {
    const std::shared_ptr<Context>& on = given(context, "context").context;
    given(given(config, "config").name, "the block's name");
    given(block, "block") = nullptr;
    on->backend().enter();
    *block = new layerwise_block{on, config->kind, make_block(on, *config), {}};
  });
}

void layerwise_block_close(layerwise_block* block) { delete block; }

// ---- steps ----------------------------------------------------------------------------------------

layerwise_status layerwise_block_train_step(layerwise_block* block, const layerwise_tensor* x,
                                            const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                            layerwise_tensor** output, layerwise_tensor** d_shortcut) {
  return on_device(block, {x, labels, shortcut}, [&](Block& of) {
    given(output, "output") = nullptr;
    require(d_shortcut == nullptr || shortcut != nullptr, "there is no gradient at a shortcut that is not there");
    if (d_shortcut != nullptr) *d_shortcut = nullptr;
    ArenaTensor gradient;
    ArenaTensor result = of.train_step(given(x, "x").view(), labels_of(labels), optional_view(shortcut),
                                       d_shortcut == nullptr ? nullptr : &gradient);
    hand_over(block, std::move(gradient), d_shortcut);
    hand_over(block, std::move(result), output);
  });
}

layerwise_status layerwise_block_forward(layerwise_block* block, const layerwise_tensor* x,
                                         const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                         layerwise_tensor** output) {
  return on_device(block, {x, labels, shortcut}, [&](Block& of) {
    given(output, "output") = nullptr;
    require_two_halves(block);
    *output = make_handle(block->context,
                          of.forward(given(x, "x").activation, labels_of(labels), optional_view(shortcut)));
  });
}

layerwise_status layerwise_block_backward(layerwise_block* block, const layerwise_tensor* d_output,
                                          layerwise_tensor** d_input, layerwise_tensor** d_shortcut) {
  return on_device(block, {d_output}, [&](Block& of) {
    if (d_input != nullptr) *d_input = nullptr;
    if (d_shortcut != nullptr) *d_shortcut = nullptr;
    require_two_halves(block);
    PassedOn passed_on = of.backward(optional_view(d_output), d_input != nullptr, d_shortcut != nullptr);
    hand_over(block, std::move(passed_on.d_input), d_input);
    hand_over(block, std::move(passed_on.d_shortcut), d_shortcut);
  });
}

layerwise_status layerwise_block_output_train_step(layerwise_block* block, const layerwise_tensor* x,
                                                   const layerwise_tensor* labels, layerwise_tensor** d_input) {
  return on_device(block, {x, labels}, [&](Block& of) {
    given(d_input, "d_input") = nullptr;
    require(block->kind == LAYERWISE_OUTPUT, "only an output layer has output_train_step");
    of.forward(given(x, "x").activation, labels_of(labels), {});
    hand_over(block, of.backward({}, true, false).d_input, d_input);
  });
}

layerwise_status layerwise_block_evaluate(layerwise_block* block, const layerwise_tensor* x,
                                          const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                          layerwise_tensor** output) {
  return on_device(block, {x, labels, shortcut}, [&](Block& of) {
    given(output, "output") = nullptr;
    hand_over(block, of.evaluate(given(x, "x").view(), labels_of(labels), optional_view(shortcut)), output);
  });
}

layerwise_status layerwise_block_estimate_statistics(layerwise_block* block, const layerwise_tensor* x,
                                                     const layerwise_tensor* shortcut, layerwise_tensor** output) {
  return on_device(block, {x, shortcut}, [&](Block& of) {
    given(output, "output") = nullptr;
    hand_over(block, of.estimate_statistics(given(x, "x").view(), optional_view(shortcut)), output);
  });
}

layerwise_status layerwise_block_local_logits(layerwise_block* block, const layerwise_tensor* x,
                                              const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                              layerwise_tensor** logits, layerwise_tensor** output) {
  return on_device(block, {x, labels, shortcut}, [&](Block& of) {
    given(logits, "logits") = nullptr;
    if (output != nullptr) *output = nullptr;
    ArenaTensor passed_on;
    ArenaTensor result = of.local_logits(given(x, "x").view(), labels_of(labels), optional_view(shortcut),
                                         output == nullptr ? nullptr : &passed_on);
    hand_over(block, std::move(passed_on), output);
    hand_over(block, std::move(result), logits);
  });
}

namespace {

layerwise_metrics metrics_of(const BlockMetrics& read) {
  return {read.similarity_loss, read.prediction_loss, read.unsupervised_loss, read.errors, read.samples};
}

}  // namespace

layerwise_status layerwise_block_metrics(layerwise_block* block, layerwise_metrics* metrics) {
  return on_device(block, {}, [&](Block& of) {
    given(metrics, "metrics");
    *metrics = metrics_of(of.read_metrics());
  });
}

layerwise_status layerwise_block_metrics_so_far(layerwise_block* block, layerwise_metrics* metrics) {
  return on_device(block, {}, [&](Block& of) {
    given(metrics, "metrics");
    *metrics = metrics_of(of.metrics_so_far());
  });
}

// ---- what a block holds ---------------------------------------------------------------------------

layerwise_status layerwise_block_tensor_count(const layerwise_block* block, int32_t* count) {
  return guarded(name_of(block), [&] {
    given(count, "count") = static_cast<int32_t>(given(block, "block").block->parameters().tensors().size());
  });
}

layerwise_status layerwise_block_tensor_info(const layerwise_block* block, int32_t position,
                                             layerwise_tensor_info* info) {
  return guarded(name_of(block), [&] {
    const std::vector<Parameters::Info>& tensors = given(block, "block").block->parameters().tensors();
    require(position >= 0 && static_cast<size_t>(position) < tensors.size(), "there is no tensor number ", position);
    const Parameters::Info& found = tensors[static_cast<size_t>(position)];
    given(info, "info") = {};
    info->name = found.name.c_str();
    info->role = static_cast<int32_t>(found.role);
    info->rank = static_cast<int32_t>(found.dimensions.size());
    std::copy(found.dimensions.begin(), found.dimensions.end(), info->shape);
  });
}

layerwise_status layerwise_block_tensor_read(const layerwise_block* block, const char* name, float* values,
                                             int64_t count) {
  return on_device(block, {}, [&](const Block& of) {
    of.parameters().read(&given(name, "name"), &given(values, "values"), count);
  });
}

layerwise_status layerwise_block_tensor_write(layerwise_block* block, const char* name, const float* values,
                                              int64_t count) {
  return on_device(block, {}, [&](Block& of) {
    of.parameters().write(&given(name, "name"), &given(values, "values"), count);
  });
}

layerwise_status layerwise_block_gather_optimizer_state(layerwise_block* block) {
  return on_device(block, {}, [&](Block& of) { of.parameters().gather_optimizer_state(); });
}

layerwise_status layerwise_block_use_average(layerwise_block* block) {
  return on_device(block, {}, [&](Block& of) { of.parameters().use_average(); });
}

layerwise_status layerwise_block_use_trained(layerwise_block* block) {
  return on_device(block, {}, [&](Block& of) { of.parameters().use_trained(); });
}

// ---- inspection -----------------------------------------------------------------------------------

layerwise_status layerwise_block_inspect(layerwise_block* block, const layerwise_tensor* x,
                                         const layerwise_tensor* labels, const layerwise_tensor* shortcut) {
  return on_device(block, {x, labels, shortcut}, [&](Block& of) {
    block->inspection = of.inspect(given(x, "x").view(), labels_of(labels), optional_view(shortcut));
  });
}

layerwise_status layerwise_block_inspection_count(const layerwise_block* block, const char* name, int64_t* count) {
  return guarded(name_of(block), [&] {
    given(count, "count") = static_cast<int64_t>(inspected(block, name).size());
  });
}

layerwise_status layerwise_block_inspection_read(const layerwise_block* block, const char* name, float* values,
                                                 int64_t count) {
  return guarded(name_of(block), [&] {
    const std::vector<float>& from = inspected(block, name);
    given(values, "values");
    require(static_cast<size_t>(count) == from.size(), "'", name, "' has ", from.size(), " elements, not ", count);
    std::copy(from.begin(), from.end(), values);
  });
}

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
  switch (checked_enum<layerwise_unsupervised_loss>(value, LAYERWISE_UNSUPERVISED_RECON, "unsupervised loss")) {
    case LAYERWISE_UNSUPERVISED_NONE: return UnsupervisedLoss::none;
    case LAYERWISE_UNSUPERVISED_SIM: return UnsupervisedLoss::sim;
    case LAYERWISE_UNSUPERVISED_RECON: break;
  }
  return UnsupervisedLoss::recon;
}

OptimizerStep::Rule rule_of(int32_t value) {
  switch (checked_enum<layerwise_optimizer>(value, LAYERWISE_AMSGRAD, "optimizer")) {
    case LAYERWISE_SGD: return OptimizerStep::Rule::sgd;
    case LAYERWISE_ADAM: return OptimizerStep::Rule::adam;
    case LAYERWISE_AMSGRAD: break;
  }
  return OptimizerStep::Rule::amsgrad;
}

OptimizerSettings optimizer_of(const layerwise_block_config& config) {
  require(config.weight_decay >= 0, "weight decay must not be negative, but is ", config.weight_decay);
  require(config.momentum >= 0 && config.momentum < 1, "momentum must be in [0, 1), not ", config.momentum);
  return {rule_of(config.optimizer), config.momentum, config.weight_decay};
}

LocalLossConfig local_losses_of(const layerwise_block_config& config) {
  LocalLossConfig losses;
  losses.loss = loss_of(config.loss);
  losses.beta = config.beta;
  losses.similarity_std = config.similarity_std != 0;
  losses.dim_in_decoder = config.dim_in_decoder;
  losses.classes = config.classes;
  losses.unsupervised = unsupervised_of(config.unsupervised);
  losses.alpha = config.alpha;
  losses.bio = config.bio != 0;
  losses.target_proj_size = config.target_proj_size;
  return losses;
}

Convolution convolution_of(const layerwise_block_config& config) {
  return {config.kernel, config.kernel, config.stride, config.padding};
}

// What every kind of block's config has.
template <class Config>
Config common_config(const layerwise_block_config& from) {
  Config config;
  config.name = from.name;
  config.index = static_cast<uint32_t>(from.index);
  config.input = {1, from.in_height, from.in_width, from.in_channels};
  config.optimizer = optimizer_of(from);
  return config;
}

LocalBlockConfig local_config(const layerwise_block_config& from) {
  auto config = common_config<LocalBlockConfig>(from);
  config.linear = from.kind == LAYERWISE_LINEAR;
  config.out_channels = from.out_channels;
  config.convolution = convolution_of(from);
  config.bias = from.bias != 0;
  config.batch_norm = from.batch_norm != 0;
  config.negative_slope = from.negative_slope;
  config.dropout = from.dropout;
  config.max_pool = from.max_pool != 0;
  config.loss = local_losses_of(from);
  return config;
}

// A convolution block without nonlinearity and losses, under PyTorch's names for a sequence of two layers.
LocalBlockConfig shortcut_config(const layerwise_block_config& from) {
  auto config = common_config<LocalBlockConfig>(from);
  config.out_channels = from.out_channels;
  config.convolution = convolution_of(from);
  config.bias = from.bias != 0;
  config.batch_norm = from.batch_norm != 0;
  config.negative_slope = 1;
  config.loss.loss = LocalLoss::none;
  config.encoder_name = "0.";
  config.norm_name = "1.";
  return config;
}

PreactivationBlockConfig preactivation_config(const layerwise_block_config& from) {
  auto config = common_config<PreactivationBlockConfig>(from);
  config.out_channels = from.out_channels;
  config.convolution = convolution_of(from);
  config.bias = from.bias != 0;
  config.normalize_input = from.normalize_input != 0;
  config.negative_slope = from.negative_slope;
  config.input_dropout = from.input_dropout;
  config.dropout = from.dropout;
  config.loss = local_losses_of(from);
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
  config.classes = from.out_channels;
  config.loss_scale = from.loss_scale;
  config.zero_start = from.zero_start != 0;
  return config;
}

std::unique_ptr<Block> make_block(const std::shared_ptr<Context>& context, const layerwise_block_config& config) {
  require(config.index >= 0 && config.index < (1 << 25), "the block's index must be in 0 … 2²⁵ − 1, not ",
          config.index);
  require(config.in_channels > 0 && config.in_height > 0 && config.in_width > 0, "the input is ", config.in_channels,
          "×", config.in_height, "×", config.in_width, "; every dimension must be positive");
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
  require(labels->view().type == DataType::int32, "the labels are not a tensor of labels");
  return {labels->view(), labels->label_limit};
}

Tensor optional_view(const layerwise_tensor* tensor) { return tensor == nullptr ? Tensor{} : tensor->view(); }

// Tensors of another context lie in memory that this block's device may not see.
void check_context(const layerwise_block& block, std::initializer_list<const layerwise_tensor*> tensors) {
  for (const layerwise_tensor* tensor : tensors)
    require(tensor == nullptr || tensor->context == block.context, "a tensor belongs to another context");
}

// Makes a handle of a result that was wanted.
void hand_over(const std::shared_ptr<Context>& context, ArenaTensor&& tensor, layerwise_tensor** handle) {
  if (handle != nullptr) *handle = make_handle(context, std::move(tensor));
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
  config->kernel = 3;
  config->stride = 1;
  config->padding = 1;
  config->bias = 1;
  config->batch_norm = 1;
  config->loss = LAYERWISE_LOSS_PREDSIM;
  config->beta = 0.99;
  config->similarity_std = 1;
  config->dim_in_decoder = 4096;
  config->target_proj_size = 128;
  config->normalize_input = 1;
  config->average_pool = 1;
  config->affine = 1;
  config->norm_momentum = 0.1;
  config->loss_scale = 1;
  config->zero_start = 1;
  config->optimizer = LAYERWISE_ADAM;
}

layerwise_status layerwise_block_create(layerwise_context* context, const layerwise_block_config* config,
                                        layerwise_block** block) {
  return guarded(config == nullptr ? nullptr : config->name, [&] {
    const std::shared_ptr<Context>& on = given(context, "context").context;
    given(given(config, "config").name, "the block's name");
    given(block, "block") = nullptr;
    on->backend().enter();
    *block = new layerwise_block{on, make_block(on, *config), {}};
  });
}

void layerwise_block_close(layerwise_block* block) { delete block; }

// ---- steps ----------------------------------------------------------------------------------------

layerwise_status layerwise_block_train_step(layerwise_block* block, const layerwise_tensor* x,
                                            const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                            layerwise_tensor** output, layerwise_tensor** d_shortcut) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {x, labels, shortcut});
    given(output, "output") = nullptr;
    require(d_shortcut == nullptr || shortcut != nullptr, "there is no gradient at a shortcut that is not there");
    if (d_shortcut != nullptr) *d_shortcut = nullptr;
    block->context->backend().enter();
    ArenaTensor gradient;
    ArenaTensor result = block->block->train_step(given(x, "x").view(), labels_of(labels), optional_view(shortcut),
                                                  d_shortcut == nullptr ? nullptr : &gradient);
    hand_over(block->context, std::move(gradient), d_shortcut);
    hand_over(block->context, std::move(result), output);
  });
}

layerwise_status layerwise_block_forward(layerwise_block* block, const layerwise_tensor* x,
                                         const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                         layerwise_tensor** output) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {x, labels, shortcut});
    given(output, "output") = nullptr;
    block->context->backend().enter();
    *output = make_handle(block->context, block->block->forward(given(x, "x").activation, labels_of(labels),
                                                                optional_view(shortcut)));
  });
}

layerwise_status layerwise_block_backward(layerwise_block* block, const layerwise_tensor* d_output,
                                          layerwise_tensor** d_input, layerwise_tensor** d_shortcut) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {d_output});
    if (d_input != nullptr) *d_input = nullptr;
    if (d_shortcut != nullptr) *d_shortcut = nullptr;
    block->context->backend().enter();
    PassedOn passed_on =
        block->block->backward(given(d_output, "d_output").view(), d_input != nullptr, d_shortcut != nullptr);
    hand_over(block->context, std::move(passed_on.d_input), d_input);
    hand_over(block->context, std::move(passed_on.d_shortcut), d_shortcut);
  });
}

layerwise_status layerwise_block_output_train_step(layerwise_block* block, const layerwise_tensor* x,
                                                   const layerwise_tensor* labels, layerwise_tensor** d_input) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {x, labels});
    given(d_input, "d_input") = nullptr;
    auto* output = dynamic_cast<OutputLayer*>(block->block.get());
    require(output != nullptr, "only an output layer has output_train_step");
    block->context->backend().enter();
    *d_input = make_handle(block->context, output->backpropagate(given(x, "x").view(), labels_of(labels)));
  });
}

layerwise_status layerwise_block_evaluate(layerwise_block* block, const layerwise_tensor* x,
                                          const layerwise_tensor* labels, const layerwise_tensor* shortcut,
                                          layerwise_tensor** output) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {x, labels, shortcut});
    given(output, "output") = nullptr;
    block->context->backend().enter();
    *output = make_handle(block->context, block->block->evaluate(given(x, "x").view(), labels_of(labels),
                                                                 optional_view(shortcut)));
  });
}

layerwise_status layerwise_block_local_logits(layerwise_block* block, const layerwise_tensor* x,
                                              const layerwise_tensor* shortcut, layerwise_tensor** logits) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {x, shortcut});
    given(logits, "logits") = nullptr;
    block->context->backend().enter();
    *logits = make_handle(block->context,
                          block->block->local_logits(given(x, "x").view(), optional_view(shortcut)));
  });
}

namespace {

layerwise_metrics metrics_of(const BlockMetrics& read) {
  return {read.similarity_loss, read.prediction_loss, read.unsupervised_loss, read.errors, read.samples};
}

}  // namespace

layerwise_status layerwise_block_metrics(layerwise_block* block, layerwise_metrics* metrics) {
  return guarded(name_of(block), [&] {
    given(block, "block");
    given(metrics, "metrics");
    block->context->backend().enter();
    *metrics = metrics_of(block->block->read_metrics());
  });
}

layerwise_status layerwise_block_metrics_so_far(layerwise_block* block, layerwise_metrics* metrics) {
  return guarded(name_of(block), [&] {
    given(block, "block");
    given(metrics, "metrics");
    block->context->backend().enter();
    *metrics = metrics_of(block->block->metrics_so_far());
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
  return guarded(name_of(block), [&] {
    const Block& of = *given(block, "block").block;
    block->context->backend().enter();
    of.parameters().read(&given(name, "name"), &given(values, "values"), count);
  });
}

layerwise_status layerwise_block_tensor_write(layerwise_block* block, const char* name, const float* values,
                                              int64_t count) {
  return guarded(name_of(block), [&] {
    Block& of = *given(block, "block").block;
    block->context->backend().enter();
    of.parameters().write(&given(name, "name"), &given(values, "values"), count);
  });
}

// ---- inspection -----------------------------------------------------------------------------------

layerwise_status layerwise_block_inspect(layerwise_block* block, const layerwise_tensor* x,
                                         const layerwise_tensor* labels, const layerwise_tensor* shortcut) {
  return guarded(name_of(block), [&] {
    check_context(given(block, "block"), {x, labels, shortcut});
    block->context->backend().enter();
    block->inspection =
        block->block->inspect(given(x, "x").view(), labels_of(labels), optional_view(shortcut));
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

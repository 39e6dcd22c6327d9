#include "block/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

namespace {

// Parameters start on multiples of 16 elements, so that every one of them is aligned for vector loads.
constexpr int64_t alignment = 16;
constexpr uint32_t sequences_per_block = 64;
constexpr uint32_t first_buffer_sequence = 32;
constexpr int64_t values_at_once = int64_t{1} << 18;  // that are drawn

constexpr const char* average_prefix = "average.";

int64_t round_up(int64_t elements) { return (elements + alignment - 1) / alignment * alignment; }

}  // namespace

Parameters::Parameters(std::shared_ptr<Context> context, uint32_t block_index, const layerwise_optimizer& optimizer)
    : context_(std::move(context)), block_index_(block_index), optimizer_(optimizer) {}

size_t Parameters::add_parameter(const std::string& name, std::vector<int64_t> dimensions, const Shape& shape,
                                 Initialization initialization, int64_t fan_in, ParameterGroup group) {
  infos_.push_back({name, Role::parameter, dimensions});
  trained_.push_back({name, std::move(dimensions), shape, initialization, fan_in, 0, group});
  return trained_.size() - 1;
}

size_t Parameters::add_buffer(const std::string& name, std::vector<int64_t> dimensions, const Shape& shape,
                              Initialization initialization, int64_t fan_in) {
  infos_.push_back({name, Role::buffer, dimensions});
  kept_.push_back({name, std::move(dimensions), shape, initialization, fan_in, kept_elements_, ParameterGroup::encoder});
  kept_elements_ += round_up(shape.elements());
  return kept_.size() - 1;
}

/// Those that leave no padding come first: then there is often none, and never any behind the last one.
void Parameters::place_trained() {
  for (const bool has_padding : {false, true}) {
    for (Entry& entry : trained_) {
      const int64_t elements = entry.shape.elements();
      if ((elements % alignment != 0) != has_padding) continue;
      entry.offset = round_up(trained_elements_);
      trained_elements_ = entry.offset + elements;
    }
  }
}

void Parameters::allocate() {
  place_trained();
  runs_ = find_runs();
  const DataType type = context_->backend().parameter_type();
  const auto make = [&](DataType of, int64_t elements) {
    return DeviceBuffer(context_, of, Shape::vector(elements), &Context::parameter_bytes);
  };
  values_ = make(type, trained_elements_);
  buffers_ = make(type, kept_elements_);
  step_count_ = make(DataType::float64, 1);
  if (keeps_copies()) {
    const DataType copy_type = context_->backend().activation_type();
    value_copies_ = make(copy_type, trained_elements_);
    buffer_copies_ = make(copy_type, kept_elements_);
  }
  if (optimizer_.optim == LAYERWISE_OPTIM_SGD) {
    if (optimizer_.momentum != 0) moments_.push_back({"momentum_buffer.", make(type, trained_elements_)});
  } else {
    moments_.push_back({"exp_avg.", make(type, trained_elements_)});
    moments_.push_back({"exp_avg_sq.", make(type, trained_elements_)});
    if (optimizer_.optim == LAYERWISE_OPTIM_AMSGRAD) moments_.push_back({"max_exp_avg_sq.", make(type, trained_elements_)});
  }
  if (has_average()) moments_.push_back({average_prefix, make(type, trained_elements_)});
  if (optimizer_.clip_grad_norm != 0) squared_gradient_norm_ = make(type, 1);
  for (const Moment& moment : moments_)
    for (const Entry& entry : trained_)
      infos_.push_back({moment.prefix + entry.name, Role::optimizer_state, entry.dimensions});
  infos_.push_back({"step", Role::optimizer_state, {}});

  for (size_t i = 0; i < trained_.size(); ++i)
    initialize(trained_[i], of_parameter(trained_[i]), static_cast<uint32_t>(i));
  for (size_t i = 0; i < kept_.size(); ++i)
    initialize(kept_[i], of_buffer(kept_[i]), first_buffer_sequence + static_cast<uint32_t>(i));
}

void Parameters::initialize(const Entry& entry, const Tensors& tensors, uint32_t number) {
  if (entry.initialization == Initialization::zero) return;  // as allocated
  const RandomKey key{context_->seed(), RandomPurpose::initialisation, block_index_ * sequences_per_block + number, 0};
  const double bound = 1 / std::sqrt(static_cast<double>(entry.fan_in));
  const auto value = [&](int64_t i) {
    return entry.initialization == Initialization::uniform
               ? bound * (2 * random_unit(random_word(key, static_cast<uint64_t>(i))) - 1)
               : 1.0;
  };
  // Some outputs at a time: all values of a large weight would take four times its memory.
  const int64_t fan_in = entry.shape.features();
  const int64_t most = std::max<int64_t>(1, values_at_once / fan_in);
  std::vector<double> values;
  for (int64_t first = 0; first < entry.shape.n; first += most) {
    const int64_t count = std::min(most, entry.shape.n - first);
    values.resize(static_cast<size_t>(count * fan_in));
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(first * fan_in + static_cast<int64_t>(i));
    set({tensors.values.samples(first, count), tensors.copy.samples(first, count), tensors.average.samples(first, count)},
        values.data());
  }
}

/// The copy follows, and the average begins anew.
template <class Value>
void Parameters::set(const Tensors& tensors, const Value* values) {
  for (const Tensor& tensor : {tensors.values, tensors.copy, tensors.average})
    if (tensor) upload(context_->backend(), values, tensor);
}

bool Parameters::keeps_copies() const {
  return context_->backend().activation_type() != context_->backend().parameter_type();
}

Tensor Parameters::copy(const DeviceBuffer& copies, const Entry& entry) const {
  return copies ? slice(copies.view(), entry) : Tensor{};
}

Tensor Parameters::slice(const Tensor& vector, const Entry& entry) const {
  char* begin = static_cast<char*>(vector.data) + static_cast<size_t>(entry.offset) * size_of(vector.type);
  return {begin, vector.type, entry.shape};
}

Tensor Parameters::parameter(size_t number) const { return slice(values_.view(), trained_[number]); }

Tensor Parameters::weight(size_t number) const {
  return keeps_copies() ? copy(value_copies_, trained_[number]) : parameter(number);
}

Tensor Parameters::buffer(size_t number) const { return slice(buffers_.view(), kept_[number]); }

Tensor Parameters::buffer_weight(size_t number) const {
  return keeps_copies() ? copy(buffer_copies_, kept_[number]) : buffer(number);
}

ArenaTensor Parameters::take_gradients() const {
  Backend& backend = context_->backend();
  ArenaTensor gradients = backend.arena().take(backend.parameter_type(), Shape::vector(trained_elements_));
  // The optimiser runs over the padding as well: keep it at zero.
  for (const Entry& entry : trained_) {
    const int64_t end = entry.offset + entry.shape.elements(), padding = round_up(end) - end;
    if (padding == 0 || end == trained_elements_) continue;
    const size_t element_bytes = size_of(gradients.view().type);
    char* begin = static_cast<char*>(gradients.view().data) + static_cast<size_t>(end) * element_bytes;
    backend.fill_zero(begin, static_cast<size_t>(padding) * element_bytes);
  }
  return gradients;
}

Tensor Parameters::gradient(const ArenaTensor& gradients, size_t number) const {
  return slice(gradients.view(), trained_[number]);
}

Tensor Parameters::moment(const std::string& prefix) const {
  for (const Moment& moment : moments_)
    if (moment.prefix == prefix) return moment.values.view();
  return {};
}

double Parameters::rate_factor(ParameterGroup group) const {
  switch (group) {
    case ParameterGroup::batch_norm: return optimizer_.lr_mult_batch_norm;
    case ParameterGroup::classifier: return optimizer_.lr_mult_classifiers;
    default: return 1;
  }
}

std::vector<Parameters::Run> Parameters::find_runs() const {
  std::vector<const Entry*> entries;
  for (const Entry& entry : trained_) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(), [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
  std::vector<Run> runs;
  for (const Entry* entry : entries) {
    const double factor = rate_factor(entry->group);
    if (!runs.empty()) runs.back().end = entry->offset;
    if (runs.empty() || runs.back().rate_factor != factor) runs.push_back({entry->offset, 0, factor});
  }
  if (!runs.empty()) runs.back().end = trained_elements_;
  return runs;
}

void Parameters::update(const ArenaTensor& gradients) {
  if (trained_.empty()) return;
  DataParallel& processes = context_->data_parallel();
  const Part part = processes.sum_part_of_gradients(gradients);
  OptimizerStep op;
  op.settings = optimizer_;
  op.step_count = step_count_.view().as<double>();
  op.squared_gradient_norm = squared_gradient_norm_.view();
  const auto cut = [](const Tensor& vector, int64_t begin, int64_t end) {
    if (!vector) return Tensor{};
    char* const first = static_cast<char*>(vector.data) + static_cast<size_t>(begin) * size_of(vector.type);
    return Tensor{first, vector.type, Shape::vector(end - begin)};
  };
  const int64_t part_end = part.begin + part.count;
  if (squared_gradient_norm_) {
    context_->backend().sum_of_squares({cut(gradients, part.begin, part_end), squared_gradient_norm_.view()});
    processes.sum_over_parts(squared_gradient_norm_.view(), gradients);
  }
  for (const Run& run : runs_) {
    const int64_t begin = std::max(run.begin, part.begin), end = std::min(run.end, part_end);
    if (begin >= end) continue;
    op.parameters = cut(values_.view(), begin, end);
    op.gradients = cut(gradients, begin, end);
    op.copy = cut(value_copies_.view(), begin, end);
    op.first_moment = cut(moment(optimizer_.optim == LAYERWISE_OPTIM_SGD ? "momentum_buffer." : "exp_avg."), begin, end);
    op.second_moment = cut(moment("exp_avg_sq."), begin, end);
    op.maximum_second_moment = cut(moment("max_exp_avg_sq."), begin, end);
    op.average = cut(moment(average_prefix), begin, end);
    op.rate_factor = run.rate_factor;
    context_->backend().optimizer_step(op);
    op.counts = false;
  }
  if (part.count == trained_elements_) return;
  // The new parameters are gathered instead of the sums: as many bytes, and no process does another's part of the step.
  processes.gather_parts(values_.view());
  if (value_copies_) processes.gather_parts(value_copies_.view());
  context_->each_time([this] { has_whole_state_ = false; });
}

void Parameters::use_average() {
  require_state(has_average(), "the optimizer keeps no average of the parameters");
  require_state(!uses_average_, "the average is in use already");
  uses_average_ = true;
  if (trained_.empty()) return;
  gather_optimizer_state();
  trained_aside_ = download<double>(context_->backend(), values_.view());
  if (buffers_) buffers_aside_ = download<double>(context_->backend(), buffers_.view());
  set({values_.view(), value_copies_.view(), {}},
      download<double>(context_->backend(), moment(average_prefix)).data());
}

void Parameters::use_trained() {
  require_state(uses_average_, "the average is not in use");
  uses_average_ = false;
  if (trained_.empty()) return;
  set({values_.view(), value_copies_.view(), {}}, trained_aside_.data());
  if (buffers_) set({buffers_.view(), buffer_copies_.view(), {}}, buffers_aside_.data());
  trained_aside_.clear();
  buffers_aside_.clear();
}

void Parameters::gather_optimizer_state() {
  if (has_whole_state_) return;
  for (const Moment& moment : moments_) context_->data_parallel().gather_parts(moment.values.view());
  has_whole_state_ = true;
}

Parameters::Tensors Parameters::of_parameter(const Entry& entry) const {
  const Tensor average = moment(average_prefix);
  return {slice(values_.view(), entry), copy(value_copies_, entry), average ? slice(average, entry) : Tensor{}};
}

Parameters::Tensors Parameters::of_buffer(const Entry& entry) const {
  return {slice(buffers_.view(), entry), copy(buffer_copies_, entry), {}};
}

Parameters::Found Parameters::find(const std::string& name, int64_t count) const {
  const auto check = [&](const Tensors& tensors, bool is_moment = false) {
    const int64_t elements = tensors.values.shape.elements();
    require(elements == count, "tensor '", name, "' has ", elements, " elements, not ", count);
    return Found{tensors, is_moment};
  };
  if (name == "step") return check({step_count_.view(), {}, {}});
  for (const Entry& entry : trained_) {
    if (entry.name == name) return check(of_parameter(entry));
    for (const Moment& moment : moments_)
      if (moment.prefix + entry.name == name) return check({slice(moment.values.view(), entry), {}, {}}, true);
  }
  for (const Entry& entry : kept_)
    if (entry.name == name) return check(of_buffer(entry));
  fail(ErrorKind::invalid_argument, "there is no tensor '", name, "'");
}

void Parameters::read(const std::string& name, float* values, int64_t count) const {
  const Found found = find(name, count);
  require_state(has_whole_state_ || !found.is_moment, "the optimizer's state is spread over the processes; gather it first");
  download(context_->backend(), found.tensors.values, values);
}

void Parameters::write(const std::string& name, const float* values, int64_t count) {
  set(find(name, count).tensors, values);
}

}  // namespace layerwise

#include "block/parameters.h"

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

int64_t round_up(int64_t elements) { return (elements + alignment - 1) / alignment * alignment; }

}  // namespace

Parameters::Parameters(std::shared_ptr<Context> context, uint32_t block_index, const layerwise_optimizer& optimizer)
    : context_(std::move(context)), block_index_(block_index), optimizer_(optimizer) {}

size_t Parameters::add_parameter(const std::string& name, std::vector<int64_t> dimensions, const Shape& shape,
                                 Initialization initialization, int64_t fan_in) {
  infos_.push_back({name, Role::parameter, dimensions});
  trained_.push_back({name, std::move(dimensions), shape, initialization, fan_in, 0});
  return trained_.size() - 1;
}

size_t Parameters::add_buffer(const std::string& name, std::vector<int64_t> dimensions, const Shape& shape,
                              Initialization initialization, int64_t fan_in) {
  infos_.push_back({name, Role::buffer, dimensions});
  kept_.push_back({name, std::move(dimensions), shape, initialization, fan_in, kept_elements_});
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
  for (const Moment& moment : moments_)
    for (const Entry& entry : trained_)
      infos_.push_back({moment.prefix + entry.name, Role::optimizer_state, entry.dimensions});
  infos_.push_back({"step", Role::optimizer_state, {}});

  for (size_t i = 0; i < trained_.size(); ++i)
    initialize(trained_[i], parameter(i), copy(value_copies_, trained_[i]), static_cast<uint32_t>(i));
  for (size_t i = 0; i < kept_.size(); ++i)
    initialize(kept_[i], buffer(i), copy(buffer_copies_, kept_[i]), first_buffer_sequence + static_cast<uint32_t>(i));
}

void Parameters::initialize(const Entry& entry, const Tensor& tensor, const Tensor& copy, uint32_t number) {
  if (entry.initialization == Initialization::zero) return;  // as allocated
  std::vector<double> values(static_cast<size_t>(entry.shape.elements()), 1.0);
  if (entry.initialization == Initialization::uniform) {
    const RandomKey key{context_->seed(), RandomPurpose::initialisation, block_index_ * sequences_per_block + number,
                        0};
    const double bound = 1 / std::sqrt(static_cast<double>(entry.fan_in));
    for (size_t i = 0; i < values.size(); ++i) values[i] = bound * (2 * random_unit(random_word(key, i)) - 1);
  }
  upload(context_->backend(), values.data(), tensor);
  if (copy) upload(context_->backend(), values.data(), copy);
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

void Parameters::update(const ArenaTensor& gradients) {
  if (trained_.empty()) return;
  DataParallel& processes = context_->data_parallel();
  const Part part = processes.sum_part_of_gradients(gradients);
  const auto of = [&part](const Tensor& vector) {
    if (!vector) return Tensor{};
    char* const begin = static_cast<char*>(vector.data) + static_cast<size_t>(part.begin) * size_of(vector.type);
    return Tensor{begin, vector.type, Shape::vector(part.count)};
  };
  OptimizerStep op;
  op.settings = optimizer_;
  op.parameters = of(values_.view());
  op.gradients = of(gradients);
  op.copy = of(value_copies_.view());
  op.first_moment = of(moment(optimizer_.optim == LAYERWISE_OPTIM_SGD ? "momentum_buffer." : "exp_avg."));
  op.second_moment = of(moment("exp_avg_sq."));
  op.maximum_second_moment = of(moment("max_exp_avg_sq."));
  op.step_count = step_count_.view().as<double>();
  context_->backend().optimizer_step(op);
  if (part.count == trained_elements_) return;
  // The new parameters are gathered instead of the sums: as many bytes, and no process does another's part of the step.
  processes.gather_parts(values_.view());
  if (value_copies_) processes.gather_parts(value_copies_.view());
  context_->each_time([this] { has_whole_state_ = false; });
}

void Parameters::gather_optimizer_state() {
  if (has_whole_state_) return;
  for (const Moment& moment : moments_) context_->data_parallel().gather_parts(moment.values.view());
  has_whole_state_ = true;
}

Parameters::Found Parameters::find(const std::string& name, int64_t count) const {
  const auto check = [&](const Tensor& tensor, const Tensor& copy, bool is_moment = false) {
    require(tensor.shape.elements() == count, "tensor '", name, "' has ", tensor.shape.elements(), " elements, not ",
            count);
    return Found{tensor, copy, is_moment};
  };
  if (name == "step") return check(step_count_.view(), {});
  for (const Entry& entry : trained_) {
    if (entry.name == name) return check(slice(values_.view(), entry), copy(value_copies_, entry));
    for (const Moment& moment : moments_)
      if (moment.prefix + entry.name == name) return check(slice(moment.values.view(), entry), {}, true);
  }
  for (const Entry& entry : kept_)
    if (entry.name == name) return check(slice(buffers_.view(), entry), copy(buffer_copies_, entry));
  fail(ErrorKind::invalid_argument, "there is no tensor '", name, "'");
}

void Parameters::read(const std::string& name, float* values, int64_t count) const {
  const Found found = find(name, count);
  require_state(has_whole_state_ || !found.is_moment, "the optimizer's state is spread over the processes; gather it first");
  download(context_->backend(), found.tensor, values);
}

void Parameters::write(const std::string& name, const float* values, int64_t count) {
  const Found found = find(name, count);
  upload(context_->backend(), values, found.tensor);
  if (found.copy) upload(context_->backend(), values, found.copy);
}

}  // namespace layerwise

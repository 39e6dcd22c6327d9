#include "operands.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "core/bfloat16.h"

namespace layerwise::test {

namespace {

constexpr size_t guard_bytes = 256;
constexpr int parameter_bits = 20;  // of an input: leaves float32 a few for the bounds
constexpr int bfloat16_bits = 6;    // likewise
constexpr char guard_pattern = static_cast<char>(0xA5);

/// The reference gets the same number in double: a value that is rounded here would be an error of its own.
template <class T>
T exactly(double value) {
  const float rounded = static_cast<float>(value);
  if constexpr (std::is_same_v<T, Bfloat16>) {
    const Bfloat16 narrow = to_bfloat16(rounded);
    if (to_float(narrow) != value) throw std::logic_error("the case's input " + std::to_string(value) + " is no bfloat16");
    return narrow;
  } else {
    if (rounded != value) throw std::logic_error("the case's input " + std::to_string(value) + " is no float32 number");
    return rounded;
  }
}

std::vector<char> encode(DataType type, const std::vector<double>& values) {
  std::vector<char> bytes(values.size() * size_of(type));
  for (size_t i = 0; i < values.size(); ++i) {
    char* to = bytes.data() + i * size_of(type);
    const auto put = [to](auto value) { std::memcpy(to, &value, sizeof value); };
    switch (type) {
      case DataType::float64: put(values[i]); break;
      case DataType::float32: put(exactly<float>(values[i])); break;
      case DataType::bfloat16: put(exactly<Bfloat16>(values[i])); break;
      case DataType::int32: put(static_cast<int32_t>(values[i])); break;
      case DataType::uint8: put(static_cast<uint8_t>(values[i])); break;
    }
  }
  return bytes;
}

template <class T>
std::vector<double> decode_as(const char* from, size_t count) {
  std::vector<T> typed(count);
  if (count > 0) std::memcpy(typed.data(), from, count * sizeof(T));
  return std::vector<double>(typed.begin(), typed.end());
}

template <>
std::vector<double> decode_as<Bfloat16>(const char* from, size_t count) {
  std::vector<double> values(count);
  for (size_t i = 0; i < count; ++i) {
    Bfloat16 value;
    std::memcpy(&value, from + i * sizeof value, sizeof value);
    values[i] = to_float(value);
  }
  return values;
}

std::vector<double> decode(DataType type, const char* from, size_t count) {
  switch (type) {
    case DataType::float64: return decode_as<double>(from, count);
    case DataType::float32: return decode_as<float>(from, count);
    case DataType::bfloat16: return decode_as<Bfloat16>(from, count);
    case DataType::int32: return decode_as<int32_t>(from, count);
    case DataType::uint8: return decode_as<uint8_t>(from, count);
  }
  return {};
}

}  // namespace

Operands::Operands(Backend& backend, uint64_t seed, DataType activations)
    : backend_(backend), activations_(activations) {
  key_.seed = seed;
}

Operands::~Operands() {
  for (const Operand& operand : operands_) backend_.release(operand.guarded);
}

int Operands::activation_bits() const { return narrow() ? bfloat16_bits : parameter_bits; }

std::vector<double> Operands::draw(int64_t count, double low, double high, int bits) {
  std::vector<double> values(static_cast<size_t>(count));
  const int64_t steps = int64_t{1} << bits;
  for (double& value : values) {
    const uint32_t k = random_below(random_word(key_, drawn_++), static_cast<uint32_t>(steps + 1));
    value = low + (high - low) * k / static_cast<double>(steps);
  }
  return values;
}

Tensor Operands::place(const std::string& name, Role role, DataType type, const Shape& shape,
                       const std::vector<double>& values, Tolerance tolerance) {
  return place_bytes(name, role, {nullptr, type, shape}, encode(type, values), tolerance);
}

Tensor Operands::place_bytes(const std::string& name, Role role, const Tensor& described,
                             const std::vector<char>& contents, Tolerance tolerance) {
  std::vector<char> host(contents.size() + 2 * guard_bytes, guard_pattern);
  std::copy(contents.begin(), contents.end(), host.begin() + guard_bytes);
  char* guarded = static_cast<char*>(backend_.allocate(host.size()));
  backend_.copy_to_device(guarded, host.data(), host.size());
  const Tensor tensor{guarded + guard_bytes, described.type, described.shape};
  operands_.push_back({name, role, tensor, tolerance, guarded, std::move(host)});
  return tensor;
}

Tensor Operands::activation(const Shape& shape, double low, double high) {
  return place("activation", Role::input, backend_.activation_type(), shape,
               draw(shape.elements(), low, high, activation_bits()), {});
}

Tensor Operands::parameter(const Shape& shape, double low, double high) {
  return place("parameter", Role::input, backend_.parameter_type(), shape,
               draw(shape.elements(), low, high, parameter_bits), {});
}

Tensor Operands::integers(int64_t count, int64_t below) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = random_below(random_word(key_, drawn_++), static_cast<uint32_t>(below));
  return place("integers", Role::input, DataType::int32, Shape::vector(count), values, {});
}

Tensor Operands::bytes(const Shape& shape) {
  std::vector<double> values(static_cast<size_t>(shape.elements()));
  for (double& value : values) value = random_below(random_word(key_, drawn_++), 256);
  return place("bytes", Role::input, DataType::uint8, shape, values, {});
}

Tensor Operands::mixed_targets(int64_t count, int64_t classes) {
  std::vector<double> values(static_cast<size_t>(count * classes));
  for (int64_t n = 0; n < count; ++n) {
    const double share = draw(1, 0, 1, parameter_bits)[0];
    for (const double part : {share, 1 - share}) {
      const uint32_t label = random_below(random_word(key_, drawn_++), static_cast<uint32_t>(classes));
      values[static_cast<size_t>(n * classes) + label] += part;
    }
  }
  return place("targets", Role::input, backend_.parameter_type(), Shape::matrix(count, classes), values, {});
}

Tensor Operands::hidden(const Shape& shape, double negative_slope) {
  std::vector<double> values = draw(shape.elements(), -1, 1, parameter_bits);
  for (double& value : values) {
    value = std::round(8 * value) / 8;
    if (negative_slope == 0) value = std::max(value, 0.0);
  }
  return place("hidden", Role::input, backend_.activation_type(), shape, values, {});
}

Tensor Operands::weight(const Shape& shape) {
  const double bound = std::exp2(std::round(std::log2(std::sqrt(3.0 / static_cast<double>(shape.features())))));
  return activation(shape, -bound, bound);
}

Tensor Operands::consumed(const Shape& shape) {
  return place("consumed", Role::consumed, backend_.activation_type(), shape,
               draw(shape.elements(), -1, 1, activation_bits()), {});
}

Tensor Operands::parameter_with_zeros(const Shape& shape, double low, double high) {
  std::vector<double> values = draw(shape.elements(), low, high, parameter_bits);
  for (size_t i = 0; i < values.size(); i += 3) values[i] = 0;
  return place("parameter", Role::input, backend_.parameter_type(), shape, values, {});
}

Tensor Operands::output(const std::string& name, DataType type, const Shape& shape, Tolerance tolerance) {
  const Tensor described{nullptr, type, shape};
  return place_bytes(name, Role::output, described, std::vector<char>(described.bytes(), static_cast<char>(0xFF)),
                     tolerance);
}

Tensor Operands::activation_output(const std::string& name, const Shape& shape, Tolerance tolerance) {
  return output(name, backend_.activation_type(), shape, tolerance);
}

Tensor Operands::parameter_output(const std::string& name, const Shape& shape, Tolerance tolerance) {
  return output(name, backend_.parameter_type(), shape, tolerance);
}

Tensor Operands::updated(const std::string& name, const Shape& shape, double low, double high, Tolerance tolerance) {
  return place(name, Role::output, backend_.parameter_type(), shape,
               draw(shape.elements(), low, high, parameter_bits), tolerance);
}

Tensor Operands::updated_activation(const std::string& name, const Shape& shape, Tolerance tolerance) {
  return place(name, Role::output, backend_.activation_type(), shape,
               draw(shape.elements(), -1, 1, activation_bits()), tolerance);
}

Metrics* Operands::metrics(Tolerance tolerance) {
  const Metrics start{1.5, 2.5, 3.5, 3};
  std::vector<char> contents(sizeof start);
  std::memcpy(contents.data(), &start, sizeof start);
  const Tensor described{nullptr, DataType::float64, Shape::vector(sizeof start / sizeof(double))};
  return static_cast<Metrics*>(place_bytes("metrics", Role::output, described, contents, tolerance).data);
}

double* Operands::counter(double value) {
  return place("counter", Role::output, DataType::float64, Shape::vector(1), {value}, {0, 0}).as<double>();
}

std::vector<char> Operands::read_guarded(const Operand& operand) const {
  std::vector<char> now(operand.host.size());
  backend_.copy_to_host(now.data(), operand.guarded, now.size());
  return now;
}

std::vector<Operands::Result> Operands::results() const {
  std::vector<Result> results;
  for (const Operand& operand : operands_) {
    if (operand.role != Role::output) continue;
    const std::vector<char> now = read_guarded(operand);
    const size_t count = static_cast<size_t>(operand.tensor.shape.elements());
    const std::vector<double> values = decode(operand.tensor.type, now.data() + guard_bytes, count);
    if (operand.name == "metrics") {
      results.push_back({"metrics: losses", {values[0], values[1], values[2]}, operand.tolerance});
      results.push_back({"metrics: errors", {values[3]}, {0, 0}});
    } else {
      results.push_back({operand.name, values, operand.tolerance});
    }
  }
  return results;
}

std::vector<std::string> Operands::violations() const {
  std::vector<std::string> violations;
  for (size_t i = 0; i < operands_.size(); ++i) {
    const Operand& operand = operands_[i];
    const std::vector<char> now = read_guarded(operand);
    const std::string what = "operand " + std::to_string(i) + " (" + operand.name + ")";
    const auto changed = [&](size_t begin, size_t end) {
      return !std::equal(now.begin() + static_cast<ptrdiff_t>(begin), now.begin() + static_cast<ptrdiff_t>(end),
                         operand.host.begin() + static_cast<ptrdiff_t>(begin));
    };
    if (changed(0, guard_bytes)) violations.push_back("bytes before " + what + " were overwritten");
    if (changed(now.size() - guard_bytes, now.size())) {
      violations.push_back("bytes after " + what + " were overwritten");
    }
    if (operand.role == Role::input && changed(guard_bytes, now.size() - guard_bytes)) {
      violations.push_back(what + " is an input and was overwritten");
    }
  }
  return violations;
}

}  // namespace layerwise::test

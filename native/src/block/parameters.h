// The parameters, buffers and optimiser state of one block.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "context/context.h"

namespace layerwise {

/// How a parameter starts.
enum class Initialization {
  zero,
  one,
  uniform  // U(−1/√fan_in, 1/√fan_in): PyTorch's default (Kaiming-uniform with a = √5) for weights and biases
};

/// Which factor of the learning rate a parameter has.
enum class ParameterGroup { encoder, batch_norm, classifier };

/// All trained parameters of a block in one contiguous vector, so that one launch updates them, with
/// optimiser moments of the same layout, and the buffers that are kept but not trained.
///
/// Usage: add_parameter / add_buffer in a fixed order (it numbers the initialisation's random
/// sequences), then allocate(), then everything else.
class Parameters {
 public:
  enum class Role { parameter, buffer, optimizer_state };

  /// What is known of a tensor that users see. `dimensions` is PyTorch's shape of it.
  struct Info {
    std::string name;
    Role role = Role::parameter;
    std::vector<int64_t> dimensions;
  };

  Parameters(std::shared_ptr<Context> context, uint32_t block_index, const layerwise_optimizer& optimizer);

  /// `dimensions` as PyTorch has them; `shape` as the operations have them: the same elements, channels
  /// last. Returns the number by which the tensor is asked for.
  size_t add_parameter(const std::string& name, std::vector<int64_t> dimensions, const Shape& shape,
                       Initialization initialization, int64_t fan_in,
                       ParameterGroup group = ParameterGroup::encoder);
  size_t add_buffer(const std::string& name, std::vector<int64_t> dimensions, const Shape& shape,
                    Initialization initialization, int64_t fan_in = 1);
  void allocate();

  Tensor parameter(size_t number) const;
  /// The parameter as operations read weights: in the activation type.
  Tensor weight(size_t number) const;
  Tensor buffer(size_t number) const;
  /// A buffer that is read as a weight. What operations change, running statistics, has no copy that follows.
  Tensor buffer_weight(size_t number) const;

  /// Memory for the gradients of all parameters, from the arena; gradient() cuts one out of it.
  ArenaTensor take_gradients() const;
  Tensor gradient(const ArenaTensor& gradients, size_t number) const;
  size_t parameter_count() const { return trained_.size(); }
  const std::string& parameter_name(size_t number) const { return trained_[number].name; }

  /// One optimiser step with these gradients, which are this process's part of the whole batch's.
  void update(const ArenaTensor& gradients);

  /// Of several processes, each updates a part of the parameters, and then has the optimizer's state of that part only. All
  /// of them call this before one reads that state.
  void gather_optimizer_state();

  /// Whether the optimizer keeps an average of the parameters.
  bool has_average() const { return optimizer_.ema_decay != 0 || optimizer_.lookahead_steps != 0; }
  /// Sets parameters and buffers aside, and puts the average in the parameters' place. All processes call this together.
  /// Throws Error(invalid_state) if there is none, or it is in use.
  void use_average();
  /// Puts back what use_average set aside. Throws Error(invalid_state) if the average is not in use.
  void use_trained();

  /// Everything with a name: parameters, buffers, then the optimiser's "exp_avg.…", "exp_avg_sq.…",
  /// "max_exp_avg_sq.…", "momentum_buffer.…", "average.…" and "step".
  const std::vector<Info>& tensors() const { return infos_; }
  /// By the name that tensors() gives; throws Error(invalid_argument) for another or another count, and
  /// Error(invalid_state) for optimizer state that is to be gathered first.
  void read(const std::string& name, float* values, int64_t count) const;
  void write(const std::string& name, const float* values, int64_t count);

 private:
  struct Entry {
    std::string name;
    std::vector<int64_t> dimensions;
    Shape shape;
    Initialization initialization;
    int64_t fan_in;
    int64_t offset;  // elements into the contiguous vector
    ParameterGroup group;
  };
  struct Moment {
    std::string prefix;
    DeviceBuffer values;
  };

  /// Neighbours that have one learning rate.
  struct Run {
    int64_t begin, end;  // elements of the contiguous vector
    double rate_factor;
  };

  void place_trained();
  std::vector<Run> find_runs() const;
  double rate_factor(ParameterGroup group) const;
  /// What holds the values of one tensor that users see.
  struct Tensors {
    Tensor values;
    Tensor copy;     // in the activation type, or absent
    Tensor average;  // or absent
  };
  Tensors of_parameter(const Entry& entry) const;
  Tensors of_buffer(const Entry& entry) const;
  void initialize(const Entry& entry, const Tensors& tensors, uint32_t number);
  template <class Value>
  void set(const Tensors& tensors, const Value* values);
  bool keeps_copies() const;
  Tensor slice(const Tensor& vector, const Entry& entry) const;
  Tensor copy(const DeviceBuffer& copies, const Entry& entry) const;
  Tensor moment(const std::string& prefix) const;
  struct Found {
    Tensors tensors;
    bool is_moment;
  };
  Found find(const std::string& name, int64_t count) const;

  std::shared_ptr<Context> context_;
  uint32_t block_index_;
  layerwise_optimizer optimizer_;
  std::vector<Entry> trained_, kept_;
  std::vector<Run> runs_;  // they cover all of the vector, padding included
  int64_t trained_elements_ = 0, kept_elements_ = 0;  // with padding; of those that are trained, not behind the last one
  DeviceBuffer values_, buffers_, step_count_;
  DeviceBuffer value_copies_, buffer_copies_;  // in the activation type, where that is another
  DeviceBuffer squared_gradient_norm_;         // one element, where gradients are clipped
  std::vector<double> trained_aside_, buffers_aside_;  // while the average is in use
  bool uses_average_ = false;
  std::vector<Moment> moments_;
  bool has_whole_state_ = true;  // of the optimizer
  std::vector<Info> infos_;
};

}  // namespace layerwise

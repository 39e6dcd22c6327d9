#include "backend/profiled_backend.h"

#include <algorithm>
#include <limits>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include "backend/operation_costs.h"

namespace layerwise {

namespace {

class Profiler final : public ProfiledBackend {
 public:
  explicit Profiler(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  const char* name() const override { return backend_->name(); }
  DataType activation_type() const override { return backend_->activation_type(); }
  DataType parameter_type() const override { return backend_->parameter_type(); }
  std::string engine_choices() const override { return backend_->engine_choices(); }

  void* allocate(size_t bytes) override { return backend_->allocate(bytes); }
  void release(void* data) noexcept override { backend_->release(data); }
  void fill_zero(void* data, size_t bytes) override { backend_->fill_zero(data, bytes); }
  void copy_to_device(void* device, const void* host, size_t bytes) override {
    backend_->copy_to_device(device, host, bytes);
  }
  void copy_to_host(void* host, const void* device, size_t bytes) override {
    backend_->copy_to_host(host, device, bytes);
  }
  void set_step_state(const StepState& state) override { backend_->set_step_state(state); }
  void synchronize() override { backend_->synchronize(); }
  int threads() const override { return backend_->threads(); }
  void enter() override { backend_->enter(); }
  Arena& arena() override { return backend_->arena(); }

  void load_batch(const LoadBatch& op) override { time("load_batch", &Backend::load_batch, op); }
  void convolution_forward(const ConvolutionForward& op) override {
    time("convolution_forward", &Backend::convolution_forward, op);
  }
  void moments_of_tensor(const MomentsOfTensor& op) override {
    time("moments_of_tensor", &Backend::moments_of_tensor, op);
  }
  void normalize_activate(const NormalizeActivate& op) override {
    time("normalize_activate", &Backend::normalize_activate, op);
  }
  void classifier_loss(const ClassifierLoss& op) override { time("classifier_loss", &Backend::classifier_loss, op); }
  void similarity_loss(const SimilarityLoss& op) override { time("similarity_loss", &Backend::similarity_loss, op); }
  void deviation_gradient(const DeviationGradient& op) override {
    time("deviation_gradient", &Backend::deviation_gradient, op);
  }
  void reconstruction_loss(const ReconstructionLoss& op) override {
    time("reconstruction_loss", &Backend::reconstruction_loss, op);
  }
  void add_tensor(const AddTensor& op) override { time("add_tensor", &Backend::add_tensor, op); }
  void hidden_gradient(const HiddenGradient& op) override { time("hidden_gradient", &Backend::hidden_gradient, op); }
  bool gradient_replaces_h(const HiddenGradient& op) const override { return backend_->gradient_replaces_h(op); }
  void encoder_gradient(const EncoderGradient& op) override {
    time("encoder_gradient", &Backend::encoder_gradient, op);
  }
  void batch_norm_gradient(const BatchNormGradient& op) override {
    time("batch_norm_gradient", &Backend::batch_norm_gradient, op);
  }
  void drop_elements(const DropElements& op) override { time("drop_elements", &Backend::drop_elements, op); }
  void optimizer_step(const OptimizerStep& op) override { time("optimizer_step", &Backend::optimizer_step, op); }

  std::string profile() override {
    add_up();
    std::ostringstream text;
    text.precision(9);
    for (const auto& [key, total] : totals_)
      text << key.first << '\t' << key.second << '\t' << total.calls << '\t' << total.seconds << '\t' << total.fastest
           << '\t' << total.flops << '\t' << total.bytes << '\n';
    return text.str();
  }

 private:
  struct Total {
    int64_t calls = 0;
    double seconds = 0, fastest = std::numeric_limits<double>::infinity();
    double flops = 0, bytes = 0;  // of one call
  };

  /// An operation whose time is not known yet.
  struct Timed {
    Total* total;
    std::unique_ptr<Mark> begin, end;
  };

  template <class Operation>
  void time(const char* name, void (Backend::*run)(const Operation&), const Operation& op) {
    OperationCosts costs = costs_of(op);
    Total& total = totals_[{name, std::move(costs.shapes)}];
    total.flops = costs.flops;
    total.bytes = costs.bytes;
    std::unique_ptr<Mark> begin = backend_->mark();
    ((*backend_).*run)(op);
    timed_.push_back({&total, std::move(begin), backend_->mark()});
    if (timed_.size() == most_timed) add_up();
  }

  void add_up() {
    for (const Timed& one : timed_) {
      const double seconds = backend_->seconds_between(*one.begin, *one.end);
      ++one.total->calls;
      one.total->seconds += seconds;
      one.total->fastest = std::min(one.total->fastest, seconds);
    }
    timed_.clear();
  }

  static constexpr size_t most_timed = 4096;

  std::unique_ptr<Backend> backend_;
  std::vector<Timed> timed_;
  std::map<std::pair<std::string, std::string>, Total> totals_;
};

}  // namespace

std::unique_ptr<ProfiledBackend> make_profiled_backend(std::unique_ptr<Backend> backend) {
  return std::make_unique<Profiler>(std::move(backend));
}

}  // namespace layerwise

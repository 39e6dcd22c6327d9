// A CUDA-on-host backend that tells the host runtime which operation launches belong to, and notes what each operation
// must do at least.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/backend.h"
#include "backend/operation_costs.h"
#include "cuda_on_host/counting.h"

namespace layerwise::benchmark {

struct LabelledOperation {
  std::string label;  // "layers.3/hidden_gradient", or without a block
  OperationCosts costs;
};

class LabelledBackend final : public Backend {
 public:
  explicit LabelledBackend(std::unique_ptr<Backend> backend) : backend_(std::move(backend)) {}

  /// The operations that come next are this block's.
  void set_block(const std::string& name) { block_ = name; }
  /// What was called since the last time.
  std::vector<LabelledOperation> take_operations() { return std::exchange(operations_, {}); }

  const char* name() const override { return backend_->name(); }
  DataType activation_type() const override { return backend_->activation_type(); }
  DataType parameter_type() const override { return backend_->parameter_type(); }
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
  bool can_record() const override { return backend_->can_record(); }
  void begin_recording() override { backend_->begin_recording(); }
  std::unique_ptr<Recording> end_recording() override { return backend_->end_recording(); }
  void synchronize() override { backend_->synchronize(); }
  void enter() override { backend_->enter(); }
  Arena& arena() override { return backend_->arena(); }
  bool gradient_replaces_h(const HiddenGradient& op) const override { return backend_->gradient_replaces_h(op); }

  void load_batch(const LoadBatch& op) override { run("load_batch", &Backend::load_batch, op); }
  void convolution_forward(const ConvolutionForward& op) override {
    run("convolution_forward", &Backend::convolution_forward, op);
  }
  void moments_of_tensor(const MomentsOfTensor& op) override {
    run("moments_of_tensor", &Backend::moments_of_tensor, op);
  }
  void normalize_activate(const NormalizeActivate& op) override {
    run("normalize_activate", &Backend::normalize_activate, op);
  }
  void classifier_loss(const ClassifierLoss& op) override { run("classifier_loss", &Backend::classifier_loss, op); }
  void similarity_loss(const SimilarityLoss& op) override { run("similarity_loss", &Backend::similarity_loss, op); }
  void deviation_gradient(const DeviationGradient& op) override {
    run("deviation_gradient", &Backend::deviation_gradient, op);
  }
  void reconstruction_loss(const ReconstructionLoss& op) override {
    run("reconstruction_loss", &Backend::reconstruction_loss, op);
  }
  void add_tensor(const AddTensor& op) override { run("add_tensor", &Backend::add_tensor, op); }
  void hidden_gradient(const HiddenGradient& op) override { run("hidden_gradient", &Backend::hidden_gradient, op); }
  void encoder_gradient(const EncoderGradient& op) override {
    run("encoder_gradient", &Backend::encoder_gradient, op);
  }
  void batch_norm_gradient(const BatchNormGradient& op) override {
    run("batch_norm_gradient", &Backend::batch_norm_gradient, op);
  }
  void drop_elements(const DropElements& op) override { run("drop_elements", &Backend::drop_elements, op); }
  void optimizer_step(const OptimizerStep& op) override { run("optimizer_step", &Backend::optimizer_step, op); }

 private:
  template <class Operation>
  void run(const char* name, void (Backend::*function)(const Operation&), const Operation& op) {
    const std::string label = block_.empty() ? name : block_ + "/" + name;
    operations_.push_back({label, costs_of(op)});
    cuda_on_host::set_label(label);
    ((*backend_).*function)(op);
    cuda_on_host::set_label("");
  }

  std::unique_ptr<Backend> backend_;
  std::string block_;
  std::vector<LabelledOperation> operations_;
};

}  // namespace layerwise::benchmark

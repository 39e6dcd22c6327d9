// What all blocks but the output layer have in common: the frame of a step.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "block/block.h"
#include "block/local_losses.h"
#include "context/transfer.h"
#include "core/error.h"

namespace layerwise {

/// What a block's losses see.
struct HiddenActivation {
  ArenaTensor h;       // after the nonlinearity
  ArenaTensor pooled;  // h pooled; absent where that is h itself

  const Tensor& pooled_or_h() const { return pooled ? pooled : h; }
};

/// A block that learns from losses of its own, or, without any, from what flows back to it. One that has nothing to learn
/// either only follows its running statistics in a training step.
///
/// `Forward` is all that the block's forward pass leaves for the losses and the backward pass: a HiddenActivation with
/// an output(), which is passed on.
template <class Forward>
class LossBlock : public Block {
 public:
  ArenaTensor train_step(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                         ArenaTensor* d_shortcut) override {
    require(losses_ || parameters_.parameter_count() == 0, "the block has no local loss; use forward and backward");
    Step step = begin_step(x, labels, shortcut, nullptr);
    if (losses_) {
      PassedOn passed_on = end_step(x, step, {}, false, d_shortcut != nullptr);
      parameters_.update(step.gradients);
      if (d_shortcut != nullptr) *d_shortcut = std::move(passed_on.d_shortcut);
    }
    return std::move(step.forward.output());
  }

  Inspection inspect(const Tensor& x, const Labels& labels, const Tensor& shortcut) override {
    require(losses_.has_value(), "the block has no local loss to inspect");
    Inspection inspection;
    Step step = begin_step(x, labels, shortcut, &inspection);
    inspection["h"] = download<float>(backend(), step.forward.h);  // now: what follows may take its memory
    const PassedOn passed_on = end_step(x, step, {}, false, static_cast<bool>(shortcut));
    if (shortcut) inspection["grad.shortcut"] = download<float>(backend(), passed_on.d_shortcut);
    inspect_gradients(step.gradients, inspection);
    return inspection;
  }

  ArenaTensor evaluate(const Tensor& x, const Labels& labels, const Tensor& shortcut) override {
    check_operands(x, labels, shortcut);
    Forward forward = forward_pass(x, shortcut, Mode::evaluation);
    if (labels.values) {
      if (losses_) losses_->evaluate(forward.pooled_or_h(), labels, metrics());
      count_samples(x.shape.n);
    }
    return std::move(forward.output());
  }

  ArenaTensor estimate_statistics(const Tensor& x, const Tensor& shortcut) override {
    check_operands(x, {}, shortcut);
    return std::move(forward_pass(x, shortcut, Mode::training).output());
  }

  ArenaTensor local_logits(const Tensor& x, const Labels& labels, const Tensor& shortcut,
                           ArenaTensor* output) override {
    require(losses_.has_value(), "the block has no local loss and so no local classifier");
    losses_->require_label_classifier();
    check_operands(x, labels, shortcut);
    // From the end where x is not, as an output: what the forward pass takes is gone when the logits are read.
    ArenaTensor logits = arena().take(backend().parameter_type(), Shape::matrix(x.shape.n, losses_->classes()),
                                      arena().opposite(x));
    Forward forward = forward_pass(x, shortcut, Mode::evaluation);
    losses_->logits(forward.pooled_or_h(), labels, metrics(), logits);
    if (labels.values) count_samples(x.shape.n);
    if (output != nullptr) *output = std::move(forward.output());
    return logits;
  }

  Activation forward(const Activation& x, const Labels& labels, const Tensor& shortcut) override {
    kept_step_ = std::make_shared<Step>(begin_step(*x, labels, shortcut, nullptr));
    kept_input_ = x;
    return Activation(kept_step_, &kept_step_->forward.output());  // shares the ownership of all that was kept
  }

  PassedOn backward(const Tensor& d_output, bool want_d_input, bool want_d_shortcut) override {
    require_state(kept_step_ != nullptr, "backward without a forward before it");
    require(!want_d_shortcut || shortcut_shape(1).elements() > 0, "the block takes no shortcut");
    const Activation x = std::move(kept_input_);
    const std::shared_ptr<Step> step = std::move(kept_step_);
    require(d_output || losses_, "the block has no local loss and needs the gradient at its output");
    const Shape expected = output_shape(x->view().shape.n);
    require(!d_output || d_output.shape == expected, "the gradient is ", d_output.shape.to_string(),
            ", but the block's output is ", expected.to_string());
    PassedOn passed_on = end_step(*x, *step, d_output, want_d_input, want_d_shortcut);
    parameters_.update(step->gradients);
    return passed_on;
  }

 protected:
  enum class Mode { training, evaluation };

  /// A step between its two halves.
  struct Step {
    Forward forward;
    ArenaTensor gradients;  // of all parameters
    LocalLosses::Branches branches;
  };

  using Block::Block;

  virtual Forward forward_pass(const Tensor& x, const Tensor& shortcut, Mode mode) = 0;
  /// The gradients of all parameters, and of what they depend on where that is wanted.
  virtual PassedOn end_step(const Tensor& x, Step& step, const Tensor& d_output, bool want_d_input,
                            bool want_d_shortcut) = 0;
  /// Of what is passed on.
  virtual Shape output_shape(int64_t samples) const = 0;

  std::optional<LocalLosses> losses_;  // absent: the block learns only from what flows back to it

 private:
  /// Forward pass and local losses.
  Step begin_step(const Tensor& x, const Labels& labels, const Tensor& shortcut, Inspection* inspection) {
    check_operands(x, labels, shortcut);
    require(!losses_ || labels.values, "training needs labels");
    Step step;
    step.forward = forward_pass(x, shortcut, Mode::training);
    step.gradients = parameters_.take_gradients();
    if (losses_)
      step.branches = losses_->compute(step.forward.h, step.forward.pooled_or_h(), x, labels, step.gradients,
                                       metrics(), inspection);
    count_samples(x.shape.n);
    return step;
  }

  void check_operands(const Tensor& x, const Labels& labels, const Tensor& shortcut) const {
    check_input(x);
    if (losses_ && labels.values) {
      check_labels(x, labels, losses_->classes());
      losses_->check_labels(labels);
    }
    check_shortcut(shortcut, x.shape.n);
  }

  double similarity_weight() const override { return losses_ ? losses_->similarity_weight() : 1; }
  double prediction_weight() const override { return losses_ ? losses_->prediction_weight() : 1; }

  // Between forward and backward.
  Activation kept_input_;
  std::shared_ptr<Step> kept_step_;
};

}  // namespace layerwise

// The operations of the reference backend, one function each; backend.h says what they compute.
#pragma once

#include "backend/backend.h"

namespace layerwise {
namespace reference {

void load_batch(const LoadBatch& op, const StepState& state);
void convolution_forward(const ConvolutionForward& op);
void moments_of_tensor(const MomentsOfTensor& op);
void normalize_activate(const NormalizeActivate& op, const StepState& state);
void classifier_loss(const ClassifierLoss& op);
void similarity_loss(const SimilarityLoss& op);
void deviation_gradient(const DeviationGradient& op);
void reconstruction_loss(const ReconstructionLoss& op);
void add_tensor(const AddTensor& op);
void hidden_gradient(const HiddenGradient& op, const StepState& state);
void encoder_gradient(const EncoderGradient& op);
void batch_norm_gradient(const BatchNormGradient& op);
void drop_elements(const DropElements& op, const StepState& state);
void optimizer_step(const OptimizerStep& op, double learning_rate);

}  // namespace reference
}  // namespace layerwise

// What an operation has to do at least, however it is done.
#pragma once

#include <string>

#include "backend/backend.h"

namespace layerwise {

struct OperationCosts {
  double flops = 0;     // multiplications and additions of convolutions and matrix products
  double bytes = 0;     // if every operand is read or written once
  std::string shapes;   // tells calls of one operation apart
};

OperationCosts costs_of(const LoadBatch& op);
OperationCosts costs_of(const ConvolutionForward& op);
OperationCosts costs_of(const MomentsOfTensor& op);
OperationCosts costs_of(const NormalizeActivate& op);
OperationCosts costs_of(const ClassifierLoss& op);
OperationCosts costs_of(const SimilarityLoss& op);
OperationCosts costs_of(const DeviationGradient& op);
OperationCosts costs_of(const ReconstructionLoss& op);
OperationCosts costs_of(const AddTensor& op);
OperationCosts costs_of(const HiddenGradient& op);
OperationCosts costs_of(const EncoderGradient& op);
OperationCosts costs_of(const BatchNormGradient& op);
OperationCosts costs_of(const DropElements& op);
OperationCosts costs_of(const OptimizerStep& op);

}  // namespace layerwise

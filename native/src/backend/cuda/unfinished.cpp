// Operations that have no CUDA kernels yet.
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

namespace {

[[noreturn]] void fail_unfinished(const char* operation) {
  fail(ErrorKind::internal, "the CUDA backend has no ", operation, " yet");
}

}  // namespace

void convolution_forward(Device&, const ConvolutionForward&) { fail_unfinished("convolution_forward"); }
void reconstruction_loss(Device&, const ReconstructionLoss&) { fail_unfinished("reconstruction_loss"); }
void hidden_gradient(Device&, const HiddenGradient&) { fail_unfinished("hidden_gradient"); }
void encoder_gradient(Device&, const EncoderGradient&) { fail_unfinished("encoder_gradient"); }

}  // namespace layerwise::cuda

// The CUDA libraries as the C API opens them, and the backend that they hold.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "core/bfloat16.h"
#include "core/error.h"
#include "layerwise.h"

namespace layerwise::test {

namespace {

std::unique_ptr<Backend> make_backend(Precision precision = Precision::f32) {
  DeviceOptions options;
  options.precision = precision;
  return make_cuda_backend("cuda-on-host", options);
}

layerwise_status create_on(const char* device, layerwise_context** context) {
  layerwise_context_options options;
  layerwise_context_options_defaults(&options);
  options.device = device;
  options.precision = LAYERWISE_PRECISION_F32;
  return layerwise_context_create(&options, context);
}

std::vector<float> read(Backend& backend, const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  backend.copy_to_host(values.data(), tensor.data, tensor.bytes());
  return values;
}

}  // namespace

TEST(CudaLibrary, is_opened_through_the_c_api_and_its_errors_arrive) {
  // Read by the library, which has a device of its own, when it allocates for the first time.
  setenv("LAYERWISE_CUDA_ON_HOST_MEMORY", "65536", 1);
  layerwise_context* context = nullptr;
  const layerwise_status opened = create_on("cuda-on-host", &context);
  unsetenv("LAYERWISE_CUDA_ON_HOST_MEMORY");
  ASSERT_EQ(opened, LAYERWISE_OK) << layerwise_error_message();
  const std::vector<float> values(5 * 3 * 64 * 64, 1.0f);
  layerwise_tensor* tensor = nullptr;
  EXPECT_EQ(layerwise_tensor_create(context, values.data(), 5, 3, 64, 64, &tensor), LAYERWISE_OUT_OF_MEMORY);
  EXPECT_NE(std::string(layerwise_error_message()).find("has no room for another 0.2 MiB"), std::string::npos)
      << layerwise_error_message();

  ASSERT_EQ(layerwise_tensor_create(context, values.data(), 1, 3, 8, 8, &tensor), LAYERWISE_OK);
  std::vector<float> back(3 * 8 * 8, 0);
  EXPECT_EQ(layerwise_tensor_read(tensor, back.data(), 3 * 8 * 8), LAYERWISE_OK) << layerwise_error_message();
  EXPECT_EQ(back, std::vector<float>(back.size(), 1.0f));
  layerwise_tensor_close(tensor);
  layerwise_context_close(context);
}

TEST(CudaLibrary, devices_that_are_not_there_are_said_to_be_missing) {
  layerwise_context* context = nullptr;
  EXPECT_EQ(create_on("cuda:77", &context), LAYERWISE_DEVICE_UNAVAILABLE);
  const std::string message = layerwise_error_message();
  EXPECT_NE(message.find("CUDA"), std::string::npos) << message;  // no library, no driver, or no such device
  EXPECT_EQ(create_on("cuda_on_host", &context), LAYERWISE_DEVICE_UNAVAILABLE);
}

TEST(CudaBackend, refuses_an_engine_that_it_does_not_have) {
  DeviceOptions options;
  options.engine = "winograd";
  EXPECT_THROW(make_cuda_backend("cuda-on-host", options), Error);
}

TEST(CudaBackend, refuses_choices_of_engines_that_it_cannot_obey) {
  for (const char* choices : {"convolve", "convolve 1x1x1x1 = cudnn\n"}) {
    DeviceOptions options;
    options.engine_choices = choices;
    EXPECT_THROW(make_cuda_backend("cuda-on-host", options), Error) << choices;
  }
}

TEST(CudaBackend, says_which_engines_did_what) {
  DeviceOptions options;
  options.precision = Precision::f32;
  options.engine_choices = "convolve 1x1x1x1 weight 1x1x1x1 stride 1 padding 0 f32 = fused\n";
  const std::unique_ptr<Backend> backend = make_cuda_backend("cuda-on-host", options);
  ConvolutionForward op;
  const ArenaTensor x = backend->arena().take(DataType::float32, {2, 4, 4, 3});
  const ArenaTensor weight = backend->arena().take(DataType::float32, {5, 3, 3, 3});
  const ArenaTensor y = backend->arena().take(DataType::float32, {2, 4, 4, 5});
  op.convolution = {3, 3, 1, 1};
  op.x = x;
  op.weight = weight;
  op.y = y;
  backend->convolution_forward(op);
  EXPECT_EQ(backend->engine_choices(),
            "convolve 1x1x1x1 weight 1x1x1x1 stride 1 padding 0 f32 = fused\n"
            "convolve 2x4x4x3 weight 5x3x3x3 stride 1 padding 1 f32 = fused\n");
}

TEST(CudaBackend, copies_more_than_its_staging_buffers_hold) {
  const std::unique_ptr<Backend> backend = make_backend();
  const ArenaTensor tensor = backend->arena().take(DataType::float32, Shape::vector((5 << 18) + 3));
  std::vector<float> values(static_cast<size_t>(tensor.view().shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  backend->copy_to_device(tensor.view().data, values.data(), tensor.view().bytes());
  EXPECT_EQ(read(*backend, tensor), values);
}

TEST(CudaBackend, a_recorded_step_is_done_again_by_every_replay) {
  const std::unique_ptr<Backend> backend = make_backend();
  ASSERT_TRUE(backend->can_record());
  const Shape shape = Shape::vector(1000);
  const ArenaTensor sum = backend->arena().take(DataType::float32, shape);
  const ArenaTensor addend = backend->arena().take(DataType::float32, shape);
  backend->fill_zero(addend.view().data, addend.view().bytes());
  AddTensor op;
  op.sum = sum;
  op.addend = addend;
  backend->add_tensor(op);  // loads the kernel
  backend->fill_zero(sum.view().data, sum.view().bytes());

  std::vector<float> values(1000, 2.0f);
  backend->begin_recording();
  backend->copy_to_device(addend.view().data, values.data(), addend.view().bytes());
  values.assign(values.size(), 77.0f);  // what was copied is what counts
  backend->add_tensor(op);
  EXPECT_THROW(backend->allocate(64), Error);
  EXPECT_THROW(read(*backend, sum), Error);
  EXPECT_THROW(backend->set_step_state({}), Error);
  const std::unique_ptr<Recording> recording = backend->end_recording();

  EXPECT_EQ(read(*backend, sum), std::vector<float>(1000, 0.0f)) << "recording does nothing";
  for (int i = 0; i < 3; ++i) recording->replay();
  EXPECT_EQ(read(*backend, sum), std::vector<float>(1000, 6.0f));
}

TEST(CudaBackend, a_replayed_optimizer_step_uses_the_learning_rate_of_the_moment) {
  const std::unique_ptr<Backend> backend = make_backend(Precision::bf16);
  const ArenaTensor parameters = backend->arena().take(DataType::float32, Shape::vector(5));
  const ArenaTensor gradients = backend->arena().take(DataType::float32, Shape::vector(5));
  const ArenaTensor copy = backend->arena().take(DataType::bfloat16, Shape::vector(5));
  const ArenaTensor count = backend->arena().take(DataType::float64, Shape::vector(1));
  const std::vector<float> ones(5, 1.0f);
  backend->copy_to_device(gradients.view().data, ones.data(), 20);

  OptimizerStep op;
  op.settings.optim = LAYERWISE_OPTIM_SGD;
  op.parameters = parameters;
  op.gradients = gradients;
  op.copy = copy;
  op.step_count = count.view().as<double>();
  backend->optimizer_step(op);  // loads the kernel
  backend->fill_zero(parameters.view().data, 20);
  backend->fill_zero(count.view().data, 8);
  backend->begin_recording();
  backend->optimizer_step(op);
  const std::unique_ptr<Recording> recording = backend->end_recording();
  for (const double rate : {0.5, 0.25}) {
    StepState state;
    state.learning_rate = rate;
    backend->set_step_state(state);
    recording->replay();
  }

  EXPECT_EQ(read(*backend, parameters), std::vector<float>(5, -0.75f));
  Bfloat16 rounded[5];
  backend->copy_to_host(rounded, copy.view().data, sizeof rounded);
  for (const Bfloat16 value : rounded) EXPECT_EQ(to_float(value), -0.75f);
  double steps = 0;
  backend->copy_to_host(&steps, op.step_count, sizeof steps);
  EXPECT_EQ(steps, 2);
}

}  // namespace layerwise::test

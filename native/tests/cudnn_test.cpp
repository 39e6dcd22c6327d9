// Which of cuDNN's plans are taken and how they are run, on a stand-in for the library that checks what it is given:
// cudnn.h, cudnn_graph.h, cuda_on_host/cudnn_stand_in.h.
#include "backend/cuda/engines/cudnn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "block_support.h"
#include "core/error.h"
#include "cuda_on_host/cudnn_stand_in.h"

namespace layerwise::cuda {

namespace {

using cuda_on_host::cudnn_stand_in;
using cuda_on_host::CudnnStandIn;
using Kind = ConvolutionProduct::Kind;
using Names = std::vector<std::string>;

/// Tensors on the device cuda-on-host, a cuDNN beside it, and a stand-in as it is at first.
class CudnnTest : public ::testing::Test {
 protected:
  void SetUp() override { cudnn_stand_in = {}; }
  void TearDown() override {
    tensors_.clear();
    cudnn.reset();
    EXPECT_EQ(cuda_on_host::live_cudnn_descriptors(), 0) << "each descriptor is destroyed once";
    cudnn_stand_in = {};
  }

  void open(bool tensor_float32) {
    cudnn = std::make_unique<Cudnn>(cuda_on_host::cudnn_stand_in_functions(), nullptr, arena(), tensor_float32);
  }

  Arena& arena() { return backend_->arena(); }

  /// Random values, `offset` elements behind an aligned address.
  Tensor make(DataType type, const Shape& shape, int64_t offset = 0) {
    ArenaTensor& memory = tensors_.emplace_back(arena().take(type, Shape::vector(shape.elements() + offset)));
    const auto count = static_cast<int64_t>(memory.view().shape.elements());
    upload(*backend_, testing::random_values(count, static_cast<uint32_t>(tensors_.size())).data(), memory.view());
    return {memory.view().as<char>() + static_cast<size_t>(offset) * size_of(type), type, shape};
  }

  /// 2 images of 4 × 4 × 8, 8 channels out, 3 × 3; the result of `result`.
  ConvolutionProduct product(Kind kind, DataType factors, DataType result, bool with_bias = false) {
    const Shape map{2, 4, 4, 8};
    const auto type = [&](Kind writer) { return kind == writer ? result : factors; };
    ConvolutionProduct made{kind, {3, 3, 1, 1}, make(type(Kind::data_gradient), map),
                            make(type(Kind::weight_gradient), {8, 3, 3, 8}), make(type(Kind::convolution), map)};
    if (with_bias) made.bias = make(DataType::float32, Shape::vector(8));
    return made;
  }

  static Tensor& result_of(ConvolutionProduct& product) {
    switch (product.kind) {
      case Kind::weight_gradient: return product.weight;
      case Kind::data_gradient: return product.x;
      case Kind::convolution: break;
    }
    return product.y;
  }

  std::vector<float> read(const Tensor& tensor) { return download<float>(*backend_, tensor); }

  /// The result of the product by plain loops, which is the stand-in's first engine.
  std::vector<float> expected(ConvolutionProduct product) {
    const CudnnStandIn before = cudnn_stand_in;
    cudnn_stand_in = {};
    Cudnn plain(cuda_on_host::cudnn_stand_in_functions(), nullptr, arena(), false);
    Tensor& result = result_of(product);
    result = make(DataType::float32, result.shape);
    EXPECT_TRUE(plain.convolve(product, "eng0"));
    cudnn_stand_in = before;
    return read(result);
  }

  std::unique_ptr<Cudnn> cudnn;

 private:
  static std::unique_ptr<Backend> make_backend() {
    DeviceOptions options;
    options.engine = "fused";
    return make_cuda_backend("cuda-on-host", options);
  }

  std::unique_ptr<Backend> backend_ = make_backend();
  std::vector<ArenaTensor> tensors_;
};

constexpr DataType f32 = DataType::float32, bf16 = DataType::bfloat16;
const std::vector<Kind> kinds = {Kind::convolution, Kind::weight_gradient, Kind::data_gradient};

}  // namespace

TEST(EngineConfigurations, are_the_same_after_writing_and_reading) {
  for (const char* text : {"eng0", "eng5_k2=13_k14=3", "eng12_k0=-1"}) {
    const auto parsed = EngineConfiguration::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(parsed->to_text(), text);
  }
  for (const char* text : {"", "eng", "eng-1", "eng01", "eng1_", "eng1_k", "eng1_k2", "eng1_k2=", "eng1_k-2=1",
                           "eng1_k2=1_k2=3", "eng1_k2=01", "eng1 ", "eng99999999999999999999", "narrow_eng1",
                           "eng1_k2=1x"})
    EXPECT_FALSE(EngineConfiguration::parse(text)) << text;
}

TEST_F(CudnnTest, lists_plans_that_are_exact_and_the_same_in_every_run) {
  for (const Kind kind : kinds) {
    for (const bool tensor_float32 : {false, true}) {
      open(tensor_float32);
      cudnn_stand_in.plans_made.clear();
      EXPECT_EQ(cudnn->plans(product(kind, f32, f32)), tensor_float32 ? Names({"eng2_k2=1", "eng0"}) : Names({"eng0"}));
      EXPECT_EQ(cudnn->plans(product(kind, bf16, bf16)), Names({"eng2_k2=1", "eng0"})) << "best first, each once";
      for (const char* untrusted : {"eng1", "eng5", "eng6", "eng7", "eng8"})
        EXPECT_EQ(std::count(cudnn_stand_in.plans_made.begin(), cudnn_stand_in.plans_made.end(), untrusted), 0)
            << untrusted << " is not even made";
    }
  }
  EXPECT_TRUE(cudnn_stand_in.executed.empty());
}

TEST_F(CudnnTest, lists_no_more_plans_than_are_worth_timing) {
  cudnn_stand_in.engines.assign(20, {});
  cudnn_stand_in.mode_a.clear();
  for (int i = 0; i < 20; ++i) cudnn_stand_in.fallback.push_back("eng" + std::to_string(i));
  open(false);
  EXPECT_EQ(cudnn->plans(product(Kind::convolution, f32, f32)).size(), 8u);
  EXPECT_LE(cudnn_stand_in.plans_made.size(), 8u);
}

TEST_F(CudnnTest, computes_what_it_is_asked_for_by_each_plan) {
  open(false);
  for (const Kind kind : kinds) {
    for (const DataType result : {f32, bf16}) {
      const bool has_bias = kind == Kind::convolution && result == bf16;
      ConvolutionProduct wanted = product(kind, bf16, result, has_bias);
      const std::vector<float> values = expected(wanted);
      for (const std::string& plan : cudnn->plans(wanted)) {
        cudnn_stand_in.executed.clear();
        ASSERT_TRUE(cudnn->convolve(wanted, plan));
        EXPECT_EQ(cudnn_stand_in.executed, Names({plan}));
        const std::vector<float> found = read(result_of(wanted));
        for (size_t i = 0; i < values.size(); ++i)  // rounded once to bfloat16, if at all
          ASSERT_EQ(found[i], result == bf16 ? to_float(to_bfloat16(values[i])) : values[i]) << plan << " " << i;
      }
      cudnn_stand_in.executed.clear();
      ASSERT_TRUE(cudnn->convolve(wanted, ""));
      EXPECT_EQ(cudnn_stand_in.executed, Names({"eng2_k2=1"})) << "what the library likes best";
    }
  }
}

TEST_F(CudnnTest, never_runs_a_plan_that_is_not_trusted_whoever_names_it) {
  open(false);
  const ConvolutionProduct wanted = product(Kind::convolution, f32, f32);
  const std::vector<float> before = read(wanted.y);
  for (const char* plan : {"eng1", "eng2_k2=1", "eng3", "eng4", "eng5", "eng6", "eng7", "eng8", "eng9", "eng0_k2=0",
                           "eng0_k3=0", "bias_apart_eng0", "narrow_eng0", "winograd", "eng0 "})
    EXPECT_FALSE(cudnn->convolve(wanted, plan)) << plan;
  EXPECT_TRUE(cudnn_stand_in.executed.empty());
  EXPECT_EQ(read(wanted.y), before) << "nothing has been done";
  cudnn_stand_in.mode_a = {"eng1"};
  cudnn_stand_in.fallback = {"eng7", "eng5"};
  open(false);
  EXPECT_FALSE(cudnn->convolve(wanted, "")) << "no plan is left";
  EXPECT_TRUE(cudnn->plans(wanted).empty());
  cudnn_stand_in.mode_a.clear();
  cudnn_stand_in.fallback.clear();
  open(false);
  EXPECT_FALSE(cudnn->convolve(wanted, ""));
}

TEST_F(CudnnTest, runs_a_plan_by_name_that_is_not_suggested) {
  open(false);
  const ConvolutionProduct wanted = product(Kind::weight_gradient, bf16, f32);
  EXPECT_TRUE(cudnn->convolve(wanted, "eng2_k2=3"));
  EXPECT_TRUE(cudnn->convolve(wanted, "eng2_k2=3"));
  EXPECT_EQ(cudnn_stand_in.executed, Names({"eng2_k2=3", "eng2_k2=3"}));
  EXPECT_EQ(cudnn_stand_in.plans_made, Names({"eng2_k2=3"})) << "it is made once";
  EXPECT_FALSE(cudnn->convolve(wanted, "eng2_k2=4")) << "the knob has no such value";
}

TEST_F(CudnnTest, adds_the_bias_apart_where_the_library_cannot) {
  cudnn_stand_in.supports = [](const CudnnStandIn::Graph& graph) { return !graph.has_bias; };
  open(false);
  for (const DataType type : {f32, bf16}) {
    const ConvolutionProduct wanted = product(Kind::convolution, type, type, true);
    const Names plans = cudnn->plans(wanted);
    ASSERT_FALSE(plans.empty());
    EXPECT_EQ(plans.back(), "bias_apart_eng0");
    cudnn_stand_in.supports = [](const auto&) { return true; };
    const std::vector<float> values = expected(wanted);
    ASSERT_TRUE(cudnn->convolve(wanted, "bias_apart_eng0"));
    const std::vector<float> found = read(wanted.y);
    for (size_t i = 0; i < values.size(); ++i)  // sums are rounded to float32, then with the bias to y's type
      ASSERT_NEAR(found[i], values[i], type == bf16 ? std::abs(values[i]) * 0x1p-8 : 0x1p-20) << i;
    cudnn_stand_in.supports = [](const CudnnStandIn::Graph& graph) { return !graph.has_bias; };
  }
}

TEST_F(CudnnTest, widens_a_weight_gradient_where_the_library_cannot) {
  cudnn_stand_in.supports = [](const CudnnStandIn::Graph& graph) { return graph.result == graph.factors; };
  open(false);
  const ConvolutionProduct wanted = product(Kind::weight_gradient, bf16, f32);
  EXPECT_EQ(cudnn->plans(wanted), Names({"narrow_eng2_k2=1", "narrow_eng0"}));
  const std::vector<float> values = expected(wanted);
  ASSERT_TRUE(cudnn->convolve(wanted, "narrow_eng0"));
  const std::vector<float> found = read(wanted.weight);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(found[i], to_float(to_bfloat16(values[i]))) << i;
  EXPECT_FALSE(cudnn->convolve(product(Kind::data_gradient, bf16, f32), "")) << "nothing widens a data gradient";
}

/// The stand-in refuses an operand that is less aligned than the graph says.
TEST_F(CudnnTest, makes_plans_anew_for_operands_that_are_less_aligned) {
  open(false);
  ConvolutionProduct wanted = product(Kind::convolution, bf16, bf16);
  EXPECT_TRUE(cudnn->convolve(wanted, "eng0"));
  wanted.x = make(bf16, wanted.x.shape, 1);
  EXPECT_TRUE(cudnn->convolve(wanted, "eng0"));
  wanted.y = make(bf16, wanted.y.shape, 2);
  EXPECT_TRUE(cudnn->convolve(wanted, "eng0"));
  EXPECT_EQ(cudnn_stand_in.plans_made.size(), 3u);
}

TEST_F(CudnnTest, takes_workspaces_from_the_arena) {
  open(false);
  const ConvolutionProduct wanted = product(Kind::convolution, bf16, bf16);
  const size_t reserved = arena().reserved_bytes();
  size_t while_running = 0;
  cudnn_stand_in.engines[2].before = [&](int64_t) { while_running = arena().reserved_bytes(); };
  ASSERT_TRUE(cudnn->convolve(wanted, "eng2_k2=1"));  // which fills its workspace with NaN
  EXPECT_GE(while_running, reserved + 4096);
  EXPECT_EQ(arena().reserved_bytes(), reserved) << "it is given back";
}

TEST_F(CudnnTest, says_what_the_library_reports) {
  cudnn_stand_in.engines[0].execution_status = CUDNN_STATUS_EXECUTION_FAILED;
  open(false);
  try {
    cudnn->convolve(product(Kind::convolution, f32, f32), "eng0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::internal);
    EXPECT_STREQ(error.what(), "cuDNN reports 'CUDNN_STATUS_EXECUTION_FAILED' while executing a plan");
  }
  CudnnFunctions functions = cuda_on_host::cudnn_stand_in_functions();
  functions.create = [](cudnnHandle_t*) { return CUDNN_STATUS_NOT_INITIALIZED; };
  try {
    const Cudnn broken(functions, nullptr, arena(), false);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device_unavailable);
  }
}

/// That the tests above can fail: each of cuDNN's rules that the engine could break.
TEST(CudnnStandIn, refuses_what_breaks_the_librarys_rules) {
  const CudnnFunctions f = cuda_on_host::cudnn_stand_in_functions();
  const int64_t one = 1, four[] = {1, 2, 3, 4}, zero[] = {0, 2, 3, 4};
  const cudnnDataType_t type = CUDNN_DATA_FLOAT;
  cudnnBackendDescriptor_t tensor = nullptr, graph = nullptr;
  ASSERT_EQ(f.create_descriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, &tensor), CUDNN_STATUS_SUCCESS);
  ASSERT_EQ(f.create_descriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &graph), CUDNN_STATUS_SUCCESS);
  const auto set = [&](cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t as, int64_t count, const void* data) {
    return f.set_attribute(tensor, name, as, count, data);
  };
  EXPECT_EQ(set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_FLOAT, 1, &one), CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
  EXPECT_EQ(set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 2, four), CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND);
  EXPECT_EQ(set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, nullptr), CUDNN_STATUS_BAD_PARAM_NULL_POINTER);
  EXPECT_EQ(set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &one), CUDNN_STATUS_BAD_PARAM);
  EXPECT_EQ(set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &one), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(f.finalize(tensor), CUDNN_STATUS_BAD_PARAM) << "attributes are missing";
  set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &four[3]);
  set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, four);
  set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, zero);
  EXPECT_EQ(f.finalize(tensor), CUDNN_STATUS_BAD_PARAM) << "an extent is zero";
  EXPECT_EQ(f.set_attribute(graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &tensor),
            CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE);
  cudnnBackendDescriptor_t engine = nullptr;
  ASSERT_EQ(f.create_descriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(f.set_attribute(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph),
            CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
  set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, four);
  EXPECT_EQ(f.finalize(tensor), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &one), CUDNN_STATUS_NOT_INITIALIZED)
      << "it is finalized";
  for (const auto descriptor : {tensor, graph, engine})
    EXPECT_EQ(f.destroy_descriptor(descriptor), CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(f.destroy_descriptor(tensor), CUDNN_STATUS_BAD_PARAM) << "it is gone";
}

}  // namespace layerwise::cuda

// Steps that a device records and replays, what happens where it cannot, and when engines are chosen.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/engines/engines.h"
#include "block_support.h"
#include "context/data_set.h"
#include "cuda_on_host/cudnn_stand_in.h"
#include "cuda_on_host/library_stand_in.h"
#include "cuda_on_host/runtime_api.h"

namespace layerwise::testing {

namespace {

/// A run of one block on the device, counting how often a step is done and how often it is replayed.
class Training {
 public:
  explicit Training(const std::string& engine = "fused", Precision precision = Precision::f32,
                    const std::string& choices = {}) {
    DeviceOptions options;
    options.engine = engine;
    options.precision = precision;
    options.engine_choices = choices;
    context = std::make_shared<Context>(make_cuda_backend("cuda-on-host", options), 7);
    block = std::make_unique<LocalBlock>(context, small_convolution_block());
  }

  /// As NativeContext.step does it.
  void step(const std::function<void()>& before_end = [] {}) {
    context->set_step(next_++, 1e-2);
    for (bool again = true; again;) {
      if (context->begin_step(0)) {
        ++replayed;
        return;
      }
      ++done;
      try {
        if (images) {
          const DataSet::Batch batch = images->batch({0, HorizontalFlip::alternating, 0, 0}, mixing);
          block->train_step(batch.images, {batch.labels, 3}, {}, nullptr);
        } else {
          const Batch batch(context, {4, 8, 8, 2}, 3);
          block->train_step(*batch.x, batch.labels, {}, nullptr);
        }
        before_end();
      } catch (const Error&) {
        again = context->cancel_step();
        if (!again) throw;
        continue;
      }
      again = context->end_step();
    }
  }

  std::shared_ptr<Context> context;
  std::unique_ptr<LocalBlock> block;
  std::unique_ptr<DataSet> images;  // trained on with alternating flips; null: random activations
  Mixing mixing;
  int done = 0, replayed = 0;

 private:
  uint64_t next_ = 0;
};

class LibrariesUnderAuto : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const cache = std::getenv("XDG_CACHE_HOME");
    had_cache_ = cache != nullptr;
    if (had_cache_) cache_ = cache;
    setenv("XDG_CACHE_HOME", ::testing::TempDir().c_str(), 1);
    std::filesystem::remove_all(::testing::TempDir() + "/layerwise");
    cuda_on_host::library_stand_in.under_auto = true;
    cuda_on_host::cudnn_stand_in = {};
  }
  void TearDown() override {
    cuda_on_host::library_stand_in = {};
    cuda_on_host::cudnn_stand_in = {};
    if (had_cache_)
      setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
    else
      unsetenv("XDG_CACHE_HOME");
  }

 private:
  bool had_cache_ = false;
  std::string cache_;
};

}  // namespace

TEST(RecordedStep, is_replayed_with_the_same_results) {
  for (const char* engine : {"fused", "cudnn"}) {
    Training recorded(engine), eager(engine);
    ::testing::internal::CaptureStderr();
    cuda_on_host::fail_next_call("cudaStreamBeginCapture", cudaErrorMemoryAllocation);
    for (int i = 0; i < 8; ++i) eager.step();
    ::testing::internal::GetCapturedStderr();
    for (int i = 0; i < 8; ++i) recorded.step();
    EXPECT_EQ(eager.replayed, 0);
    EXPECT_GE(recorded.replayed, 3);
    EXPECT_EQ(tensors_of(*recorded.block), tensors_of(*eager.block)) << engine;
    const auto a = recorded.block->read_metrics(), b = eager.block->read_metrics();
    EXPECT_EQ(a.samples, 8 * 4);
    EXPECT_EQ(a.samples, b.samples);
    EXPECT_EQ(a.similarity_loss, b.similarity_loss);
  }
}

TEST(RecordedStep, of_alternating_flips_follows_the_epoch) {
  Training recorded, eager, in_one_epoch;
  const int32_t labels[4] = {0, 1, 2, 0}, chosen[4] = {2, 0, 3, 1};
  std::vector<uint8_t> pixels(4 * 8 * 8 * 2);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 251);
  const std::vector<float> mean(2, 0.5f), deviation(2, 0.25f);
  const auto train = [&](Training& training, bool epochs_pass) {
    training.images = std::make_unique<DataSet>(training.context, Shape{4, 8, 8, 2}, pixels.data(), labels, 3,
                                                mean.data(), deviation.data(), false);
    training.images->choose(chosen, 4);
    for (uint64_t i = 0; i < 8; ++i) {
      training.context->set_epoch(epochs_pass ? i + 1 : 1);
      training.step();
    }
  };
  ::testing::internal::CaptureStderr();
  cuda_on_host::fail_next_call("cudaStreamBeginCapture", cudaErrorMemoryAllocation);
  train(eager, true);
  ::testing::internal::GetCapturedStderr();
  train(recorded, true);
  train(in_one_epoch, false);
  EXPECT_EQ(eager.replayed, 0);
  EXPECT_GE(recorded.replayed, 3);
  EXPECT_EQ(tensors_of(*recorded.block), tensors_of(*eager.block));
  EXPECT_NE(tensors_of(*recorded.block), tensors_of(*in_one_epoch.block));
}

/// Shares, boxes and partners are drawn anew in every replay.
TEST(RecordedStep, of_mixed_images_draws_in_each_step) {
  const int32_t labels[4] = {0, 1, 2, 0}, chosen[4] = {2, 0, 3, 1};
  std::vector<uint8_t> pixels(4 * 8 * 8 * 2);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 251);
  const std::vector<float> mean(2, 0.5f), deviation(2, 0.25f);
  const auto train = [&](Training& training) {
    training.mixing = {0.5, 1};
    training.images = std::make_unique<DataSet>(training.context, Shape{4, 8, 8, 2}, pixels.data(), labels, 3,
                                                mean.data(), deviation.data(), false);
    training.images->choose(chosen, 4);
    for (uint64_t i = 0; i < 12; ++i) training.step();
  };
  Training recorded, eager;
  ::testing::internal::CaptureStderr();
  cuda_on_host::fail_next_call("cudaStreamBeginCapture", cudaErrorMemoryAllocation);
  train(eager);
  ::testing::internal::GetCapturedStderr();
  train(recorded);
  EXPECT_EQ(eager.replayed, 0);
  EXPECT_GE(recorded.replayed, 7);
  EXPECT_EQ(tensors_of(*recorded.block), tensors_of(*eager.block));
}

/// From the middle of the run on, the block in front is evaluated and no longer trained, in steps of another kind.
TEST(RecordedStep, is_recorded_anew_when_a_block_is_frozen) {
  const auto run = [](bool records, std::vector<int>& replayed) {
    const auto context = std::make_shared<Context>(make_cuda_backend("cuda-on-host", DeviceOptions()), 7);
    LocalBlock front(context, small_convolution_block());
    LocalBlock back(context, small_linear_block({1, 4, 4, 5}));
    auto frozen_at = tensors_of(front);
    replayed = {0, 0};
    for (uint64_t step = 0; step < 14; ++step) {
      const bool frozen = step >= 7;
      if (step == 7) frozen_at = tensors_of(front);
      context->set_step(step, 1e-2);
      if (records && context->begin_step(frozen ? 1 : 0)) {
        ++replayed[frozen];
        continue;
      }
      {
        const Batch batch(context, {4, 8, 8, 2}, 3);
        const ArenaTensor h = frozen ? front.evaluate(*batch.x, {}, {})
                                     : front.train_step(*batch.x, batch.labels, {}, nullptr);
        back.train_step(h, batch.labels, {}, nullptr);
      }
      const bool again = records && context->end_step();
      EXPECT_FALSE(again);
    }
    EXPECT_EQ(tensors_of(front), frozen_at);
    return std::make_pair(frozen_at, tensors_of(back));
  };
  std::vector<int> replayed;
  const auto eager = run(false, replayed);
  const auto recorded = run(true, replayed);
  EXPECT_EQ(recorded, eager);
  EXPECT_GE(replayed[0], 3);
  EXPECT_GE(replayed[1], 3);
}

/// Whatever of it fails, the run goes on without recordings, with the same results, and says so once.
TEST(RecordedStep, that_cannot_be_recorded_is_done_eagerly) {
  Training whole;
  for (int i = 0; i < 8; ++i) whole.step();
  for (const char* function :
       {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch"}) {
    Training run;
    ::testing::internal::CaptureStderr();
    cuda_on_host::fail_next_call(function, cudaErrorMemoryAllocation);
    for (int i = 0; i < 8; ++i) run.step();
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << function << ": " << said;
    EXPECT_EQ(said.find("layerwise: steps are no longer recorded"), 0u) << said;
    EXPECT_EQ(run.replayed, 0) << function;
    EXPECT_EQ(tensors_of(*run.block), tensors_of(*whole.block)) << function;
    EXPECT_EQ(run.block->read_metrics().samples, 8 * 4) << function;
  }
}

TEST(RecordedStep, in_which_an_operation_fails_is_done_eagerly) {
  Training run;
  bool failed = false;
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 8; ++i)
    run.step([&] {
      if (run.done != 4 || std::exchange(failed, true)) return;
      fail(ErrorKind::internal, "only while it is recorded");
    });
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(failed);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_EQ(run.block->read_metrics().samples, 8 * 4);
  EXPECT_EQ(run.done, 9);
}

TEST(RecordedStep, whose_failure_is_the_callers_own_throws) {
  Training run;
  run.step();
  EXPECT_THROW(run.step([] { fail(ErrorKind::invalid_argument, "a mistake"); }), Error);
  run.step();
  EXPECT_EQ(run.done, 3) << "the step after it begins as usual";
}

TEST_F(LibrariesUnderAuto, are_timed_once_memory_has_its_size_and_before_a_step_is_recorded) {
  Training run("auto");
  Training kernels;
  for (int i = 0; i < 4; ++i) {
    run.step();
    kernels.step();
  }
  EXPECT_EQ(run.context->backend().engine_choices(), "") << "memory is finding its size";
  EXPECT_EQ(tensors_of(*run.block), tensors_of(*kernels.block));
  const uint64_t changes = run.context->backend().arena().changes();
  int calls = 0;
  cuda_on_host::library_stand_in.before = [&](bool) {  // so slow that the kernels are taken
    ++calls;
    cuda_on_host::pass_time(std::chrono::hours(1));
  };
  run.step();
  EXPECT_EQ(run.context->backend().arena().changes(), changes) << "what was tried and not taken leaves no trace";
  EXPECT_NE(run.context->backend().engine_choices(), "");
  EXPECT_EQ(run.context->backend().engine_choices().find("cudnn"), std::string::npos);
  EXPECT_GT(calls, 5);
  for (int i = 0; i < 6; ++i) run.step();
  EXPECT_GE(run.replayed, 3);
}

TEST_F(LibrariesUnderAuto, that_fail_are_left_out) {
  Training run("auto");
  cuda_on_host::library_stand_in.before = [](bool) { fail(ErrorKind::internal, "CUDNN_STATUS_EXECUTION_FAILED"); };
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 8; ++i) run.step();
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("layerwise: engine cudnn:eng0 is left out for 'convolve "), std::string::npos) << said;
  EXPECT_EQ(run.context->backend().engine_choices().find("cudnn"), std::string::npos);
  EXPECT_GE(run.replayed, 1);
}

TEST_F(LibrariesUnderAuto, take_the_fastest_plan_into_the_recording_which_replays_it) {
  auto& stand_in = cuda_on_host::cudnn_stand_in;
  stand_in.mode_a = {"eng1", "eng0", "eng2_k2=3", "eng2_k2=1"};  // the first is fast and not deterministic
  stand_in.fallback.clear();
  const auto take_long = [] { cuda_on_host::pass_time(std::chrono::hours(1)); };
  stand_in.engines[0].before = [&](int64_t) { take_long(); };
  stand_in.engines[2].before = [&](int64_t knob) { knob == 1 ? void() : take_long(); };
  Training recorded("auto", Precision::bf16);
  for (int i = 0; i < 7; ++i) recorded.step();
  const std::string choices = recorded.context->backend().engine_choices();
  EXPECT_NE(choices.find("= cudnn:eng2_k2=1\n"), std::string::npos) << choices;
  for (const char* other : {"eng0", "eng1", "eng2_k2=3"}) EXPECT_EQ(choices.find(other), std::string::npos) << choices;
  const size_t executed = stand_in.executed.size();
  const Arena& arena = recorded.context->backend().arena();
  const uint64_t changes = arena.changes();
  const size_t reserved = arena.reserved_bytes();
  const int replayed = recorded.replayed;
  for (int i = 7; i < 10; ++i) recorded.step();
  EXPECT_EQ(recorded.replayed, replayed + 3);
  EXPECT_EQ(stand_in.executed.size(), executed) << "what is replayed is not given to the library again";
  EXPECT_EQ(arena.changes(), changes) << "workspaces lie in the slab";
  EXPECT_EQ(arena.reserved_bytes(), reserved);

  ::testing::internal::CaptureStderr();
  cuda_on_host::fail_next_call("cudaStreamBeginCapture", cudaErrorMemoryAllocation);
  Training eager("auto", Precision::bf16, choices);
  for (int i = 0; i < 10; ++i) eager.step();
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(eager.replayed, 0);
  EXPECT_EQ(eager.context->backend().engine_choices(), choices);
  EXPECT_EQ(tensors_of(*recorded.block), tensors_of(*eager.block)) << "the same plans, the same bits";
  EXPECT_EQ(std::count(stand_in.executed.begin(), stand_in.executed.end(), "eng1"), 0);
}

TEST_F(LibrariesUnderAuto, leave_out_plans_that_compute_something_else) {
  cuda_on_host::cudnn_stand_in.engines[0].arithmetic = cuda_on_host::CudnnStandIn::Arithmetic::wrong;
  Training run("auto");
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 6; ++i) run.step();
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("layerwise: engine cudnn:eng0 is left out for 'hidden_gradient "), std::string::npos) << said;
  const std::string choices = run.context->backend().engine_choices();
  EXPECT_NE(choices.find("= fused (different: cudnn:eng0)\n"), std::string::npos) << choices;
  EXPECT_EQ(choices.find("= cudnn"), std::string::npos) << choices;
  for (const auto& [name, values] : tensors_of(*run.block))
    for (const float value : values) ASSERT_TRUE(std::isfinite(value)) << name;
}

TEST_F(LibrariesUnderAuto, time_plans_anew_where_the_one_on_disk_is_gone) {
  auto& stand_in = cuda_on_host::cudnn_stand_in;
  Training before("auto");
  for (int i = 0; i < 5; ++i) before.step();
  const std::string old = before.context->backend().engine_choices();
  EXPECT_NE(old.find("= cudnn:eng0\n"), std::string::npos) << old;
  stand_in.engines[0].plan_status = cuda::CUDNN_STATUS_NOT_SUPPORTED;
  stand_in.engines.emplace_back();
  stand_in.fallback.emplace_back("eng9");

  Training resumed("auto", Precision::f32, old);
  for (int i = 0; i < 4; ++i) resumed.step();
  try {
    resumed.step();
    ADD_FAILURE() << "other plans, other bits";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device_unavailable);
    EXPECT_NE(std::string(error.what()).find("the run was started with engine 'cudnn:eng0' for '"), std::string::npos);
  }
  Training after("auto");
  for (int i = 0; i < 5; ++i) after.step();
  const std::string choices = after.context->backend().engine_choices();
  EXPECT_EQ(choices.find("cudnn:eng0"), std::string::npos) << choices;
  EXPECT_NE(choices.find("= cudnn:eng9\n"), std::string::npos) << choices;
}

TEST_F(LibrariesUnderAuto, choose_the_same_way_in_a_run_that_finds_choices_on_disk) {
  Training first("auto");
  for (int i = 0; i < 9; ++i) first.step();
  Training third("auto");
  for (int i = 0; i < 9; ++i) third.step();
  EXPECT_EQ(first.context->backend().engine_choices(), third.context->backend().engine_choices());
  for (const auto& file : std::filesystem::directory_iterator(::testing::TempDir() + "/layerwise/engines"))
    EXPECT_NE(file.path().string().find(cuda::kernel_revision()), std::string::npos) << "other kernels, other choices";
  EXPECT_EQ(tensors_of(*first.block), tensors_of(*third.block)) << "the same choices, the same bits";
}

}  // namespace layerwise::testing

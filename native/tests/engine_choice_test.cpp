// How engines and their plans are chosen, and how choices are written down: engine_choice.h, engine_plans.h,
// engine_cache.h, vendor_libraries.h.
#include "backend/cuda/engines/engine_choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/engines/engine_plans.h"
#include "backend/cuda/engines/vendor_libraries.h"
#include "core/arena.h"
#include "core/bfloat16.h"
#include "core/error.h"

namespace layerwise::cuda {

namespace {

namespace fs = std::filesystem;

/// A folder that is there as long as the test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "layerwise-engines-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = name;
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::string read(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// Candidates on an imaginary device: each takes as long as its name is given, and notes that it ran. They take a
/// temporary from an arena that has no slab yet.
class Device {
 public:
  std::vector<std::string> ran;

  void takes(const std::string& engine, double time) { times[engine] = time; }

  std::vector<Candidate> candidates() {
    std::vector<Candidate> all = {make("fused"), make("cudnn")};
    if (plans.empty()) return all;
    all.back().plans = [this] {
      if (failing.count("plans") != 0) fail(failing.at("plans"), "there are none");
      ++asked_for_plans;
      return plans;
    };
    all.back().run_plan = [this](const std::string& plan) {
      return std::count(plans.begin(), plans.end(), plan) != 0 && make(name_of({"cudnn", plan})).run();
    };
    return all;
  }

  std::vector<std::string> plans;
  std::vector<float> result = {0, 0, 0};
  std::map<std::string, std::vector<float>> results;  // where they differ from those of fused
  const Tensor output{result.data(), DataType::float32, Shape::vector(3)};
  int timed = 0, allocations = 0, asked_for_plans = 0;
  bool works = true;
  std::map<std::string, int> refused;
  std::map<std::string, ErrorKind> failing;
  std::map<std::string, double> times = {{"fused", 2}, {"cudnn", 1}};
  Arena arena{[this](size_t bytes) {
                ++allocations;
                EXPECT_FALSE(is_timing) << "memory is allocated while a candidate is timed";
                return std::malloc(bytes);
              },
              [](void* data) { std::free(data); }};
  bool is_timing = false;

 private:
  Candidate make(const std::string& name) {
    return {name, [this, name] {
              if (refused.count(name) != 0) return false;
              if (failing.count(name) != 0) fail(failing.at(name), "it is broken");
              const ArenaTensor temporary = arena.take(DataType::uint8, Shape::vector(1 << 20));
              ran.push_back(name);
              const std::vector<float> own = results.count(name) != 0 ? results.at(name) : std::vector<float>{1, -2, 3};
              std::copy(own.begin(), own.end(), result.begin());  // none, or some: the rest is not written
              return true;
            }};
  }
};

/// The least of several times counts: every other one of a candidate is slow.
class Trials final : public TrialDevice {
 public:
  explicit Trials(Device& device) : device_(device) {}
  void set_up(const std::function<void()>& trials) override {
    const Arena::Trial set_aside(device_.arena);
    trials();
  }
  double milliseconds(const std::function<void()>& work, int runs) override {
    device_.is_timing = true;
    for (int run = 0; run < runs; ++run) work();
    device_.is_timing = false;
    ++device_.timed;
    const std::string& candidate = device_.ran.back();
    return runs * device_.times.at(candidate) * (++times_[candidate] % 2 == 0 ? 1 : 100);
  }
  void spoil(const Tensor&) override { device_.result.assign(3, std::numeric_limits<float>::quiet_NaN()); }
  std::vector<float> read(const Tensor&) override { return device_.result; }
  bool works() override { return device_.works; }

 private:
  Device& device_;
  std::map<std::string, int> times_;
};

/// With "auto" as the engine, or another that is wanted wherever it does the operation.
class Choice {
 public:
  Choice(Device& device, const std::string& engine, EngineChoices given, std::optional<EngineCache> cache)
      : device_(device), engine_(engine),
        choice_(engine == "auto", std::move(given), std::move(cache), std::make_unique<Trials>(device)) {}

  void run(const std::string& operation, std::vector<Candidate> candidates, Phase phase) {
    if (engine_ == "fused") candidates.resize(1);
    choice_.run(operation, candidates, {device_.output}, Exactness::float32, phase);
  }
  const EngineChoices& choices() const { return choice_.choices(); }

 private:
  Device& device_;
  std::string engine_;
  EngineChoice choice_;
};

Choice make(Device& device, const std::string& engine, EngineChoices given = {},
            std::optional<EngineCache> cache = {}) {
  return Choice(device, engine, std::move(given), std::move(cache));
}

constexpr Phase usual = Phase::usual;

}  // namespace

TEST(EngineChoice, takes_the_fastest_and_leaves_its_result) {
  for (const double fused : {0.5, 2.0}) {
    Device device;
    device.takes("fused", fused);
    Choice choice = make(device, "auto");
    choice.run("convolve a", device.candidates(), usual);
    const std::string fastest = fused < 1 ? "fused" : "cudnn";
    EXPECT_EQ(device.ran.back(), fastest) << "outputs must be the chosen engine's";
    EXPECT_GT(device.timed, 0);
    EXPECT_EQ(to_text(choice.choices()), "convolve a = " + fastest + "\n");

    device.ran.clear();
    choice.run("convolve a", device.candidates(), usual);
    EXPECT_EQ(device.ran, std::vector<std::string>{fastest}) << "it is timed once";
  }
}

TEST(EngineChoice, is_made_for_every_operation_by_itself) {
  Device device;
  Choice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), usual);
  device.takes("fused", 0.1);
  choice.run("convolve b", device.candidates(), usual);
  EXPECT_EQ(to_text(choice.choices()), "convolve a = cudnn\nconvolve b = fused\n");
}

TEST(EngineChoice, obeys_what_it_was_given) {
  Device device;
  Choice choice = make(device, "auto", {{"convolve a", {"fused", {}}}, {"convolve b", {"cublas", {}}}});
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.ran, std::vector<std::string>{"fused"});
  EXPECT_EQ(device.timed, 0);
  EXPECT_THROW(choice.run("convolve b", device.candidates(), usual), Error) << "that engine is not here";
}

TEST(EngineChoice, never_times_while_a_step_is_recorded) {
  Device device;
  Choice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), Phase::recording);
  EXPECT_EQ(device.timed, 0);
  EXPECT_EQ(device.ran, std::vector<std::string>{"fused"});
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.timed, 0) << "what a recording holds stays";
}

TEST(EngineChoice, takes_the_first_while_memory_finds_its_size_whatever_was_chosen_before) {
  const Folder folder;
  const EngineCache cache(folder / "card.txt");
  cache.store("convolve b", {"cudnn", {}});
  Device device;
  Choice choice = make(device, "auto", {{"convolve c", {"cudnn", {}}}}, cache);
  for (const char* operation : {"convolve a", "convolve b", "convolve c"})
    choice.run(operation, device.candidates(), Phase::warming_up);
  EXPECT_EQ(device.ran, (std::vector<std::string>{"fused", "fused", "fused"}));
  EXPECT_EQ(device.timed, 0);
  EXPECT_EQ(to_text(choice.choices()), "convolve c = cudnn\n") << "that is no choice";
  for (const char* operation : {"convolve a", "convolve b", "convolve c"}) {
    choice.run(operation, device.candidates(), usual);
    EXPECT_EQ(device.ran.back(), "cudnn") << operation;
  }
}

TEST(EngineChoice, allocates_nothing_while_it_times_and_leaves_no_trace_of_what_it_tried) {
  Device device;
  device.takes("fused", 0.5);
  Choice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_GE(device.timed, 2 * 5);
  EXPECT_EQ(device.allocations, 2) << "one temporary for the trials, and one for the engine that was chosen";

  Device with_plans;
  with_plans.plans = {"a", "b"};
  with_plans.times = {{"fused", 0.5}, {"cudnn:a", 1}, {"cudnn:b", 1}};
  make(with_plans, "auto").run("convolve a", with_plans.candidates(), usual);
  EXPECT_GE(with_plans.timed, 3 * 5);
  EXPECT_EQ(with_plans.allocations, 2);
}

TEST(EngineChoice, leaves_out_what_an_engine_cannot_do) {
  Device device;
  device.refused["cudnn"] = 1;
  testing::internal::CaptureStderr();
  Choice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(to_text(choice.choices()), "convolve a = fused\n");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(EngineChoice, leaves_out_an_engine_that_fails_and_says_so) {
  for (const ErrorKind kind : {ErrorKind::out_of_memory, ErrorKind::internal, ErrorKind::invalid_argument}) {
    Device device;
    device.failing["cudnn"] = kind;
    Choice choice = make(device, "auto");
    testing::internal::CaptureStderr();
    choice.run("convolve a", device.candidates(), usual);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "layerwise: engine cudnn is left out for 'convolve a': it is broken\n");
    EXPECT_EQ(to_text(choice.choices()), "convolve a = fused\n");
    EXPECT_EQ(device.ran.back(), "fused");
  }
}

TEST(EngineChoice, never_takes_an_engine_that_computes_something_else) {
  for (const std::vector<float>& wrong :
       {std::vector<float>{1, -2, 3.1f}, {1, -2, std::numeric_limits<float>::quiet_NaN()}, {1, -2}}) {
    Device device;
    device.results["cudnn"] = wrong;
    const Folder folder;
    const EngineCache cache(folder / "card.txt");
    testing::internal::CaptureStderr();
    Choice choice = make(device, "auto", {}, cache);
    choice.run("convolve a", device.candidates(), usual);
    choice.run("convolve a", device.candidates(), usual);
    EXPECT_EQ(device.ran.back(), "fused");
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("layerwise: engine cudnn is left out for 'convolve a': its element 2 is "), std::string::npos)
        << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_EQ(to_text(choice.choices()), "convolve a = fused (different: cudnn)\n");
    EXPECT_EQ(read(folder / "card.txt"), "convolve a = fused (different: cudnn)\n");
  }
}

TEST(EngineComparison, allows_for_roundings_and_finds_wrong_results) {
  std::vector<float> expected, rounded, other_order, misplaced;
  for (int i = 0; i < 4096; ++i) {
    expected.push_back(std::sin(0.37f * static_cast<float>(i)));
    rounded.push_back(to_float(to_bfloat16(expected.back())));
    other_order.push_back(expected.back() + 0.002f * std::cos(static_cast<float>(i)));
  }
  misplaced = expected;
  std::swap(misplaced[1000], misplaced[1008]);
  EXPECT_FALSE(difference(expected, expected, Exactness::float32));
  EXPECT_FALSE(difference(expected, rounded, Exactness::narrow));
  EXPECT_TRUE(difference(expected, rounded, Exactness::float32));
  EXPECT_FALSE(difference(expected, other_order, Exactness::narrow));
  for (const Exactness exactness : {Exactness::float32, Exactness::narrow}) {
    EXPECT_TRUE(difference(expected, misplaced, exactness));
    EXPECT_TRUE(difference(expected, std::vector<float>(expected.size(), 0), exactness));
  }
  EXPECT_FALSE(difference({0, 0}, {0, 0}, Exactness::narrow));
  EXPECT_TRUE(difference({0, 0}, {0, 1e-30f}, Exactness::narrow)) << "nothing explains a value where all are zero";
}

TEST(EngineChoice, ends_with_the_device_that_has_failed) {
  Device device;
  device.failing["cudnn"] = ErrorKind::internal;
  device.works = false;
  Choice choice = make(device, "auto");
  EXPECT_THROW(choice.run("convolve a", device.candidates(), usual), Error);
}

TEST(EngineChoice, takes_the_next_engine_where_the_chosen_one_fails_later) {
  const Folder folder;
  const EngineCache cache(folder / "card.txt");
  cache.store("convolve b", {"cudnn", {}});
  Device device;
  Choice choice = make(device, "auto", {}, cache);
  choice.run("convolve a", device.candidates(), usual);
  device.failing["cudnn"] = ErrorKind::out_of_memory;
  testing::internal::CaptureStderr();
  for (const char* operation : {"convolve a", "convolve b"}) {
    choice.run(operation, device.candidates(), usual);
    EXPECT_EQ(device.ran.back(), "fused");
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  EXPECT_EQ(to_text(choice.choices()), "convolve a = fused\nconvolve b = fused\n");
}

TEST(EngineChoice, fails_where_the_engine_that_was_given_fails) {
  Device device;
  device.failing["cudnn"] = ErrorKind::internal;
  Choice choice = make(device, "auto", {{"convolve a", {"cudnn", {}}}});
  testing::internal::CaptureStderr();
  EXPECT_THROW(choice.run("convolve a", device.candidates(), usual), Error) << "other bits than the run's own";
  testing::internal::GetCapturedStderr();
}

TEST(EngineChoice, lets_a_failure_end_the_recording_in_which_it_happens) {
  Device device;
  Choice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), usual);
  device.failing["cudnn"] = ErrorKind::internal;
  EXPECT_THROW(choice.run("convolve a", device.candidates(), Phase::recording), Error);
}

TEST(EngineChoice, is_forced_by_name) {
  Device device;
  Choice fused = make(device, "fused", {{"convolve a", {"cudnn", {}}}});
  fused.run("convolve a", device.candidates(), usual);
  Choice cudnn = make(device, "cudnn", {{"convolve a", {"fused", {}}}});
  cudnn.run("convolve a", device.candidates(), usual);
  device.refused["cudnn"] = 1;
  cudnn.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.ran, (std::vector<std::string>{"fused", "cudnn", "fused"}));
  EXPECT_EQ(device.timed, 0);
  EXPECT_TRUE(cudnn.choices().empty());
}

TEST(EngineChoice, is_found_on_disk_by_the_next_run) {
  const Folder folder;
  const EngineCache cache(folder / "cache/card.txt");
  Device device;
  make(device, "auto", {}, cache).run("convolve a", device.candidates(), usual);
  EXPECT_EQ(read(folder / "cache/card.txt"), "convolve a = cudnn\n");

  Device later;
  later.takes("fused", 0.1);
  make(later, "auto", {}, cache).run("convolve a", later.candidates(), usual);
  EXPECT_EQ(later.ran, std::vector<std::string>{"cudnn"});
  make(later, "auto", {{"convolve a", {"fused", {}}}}, cache).run("convolve a", later.candidates(), usual);
  EXPECT_EQ(later.ran.back(), "fused") << "a run's own choices come first";
  EXPECT_EQ(later.timed, 0);
}

TEST(EnginePlans, are_named_behind_the_engine) {
  for (const char* text : {"cudnn", "cudnn:eng5_k2=1", "cudnn:a:b"}) EXPECT_EQ(name_of(split_choice(text)), text);
  EXPECT_EQ(split_choice("cudnn:eng5_k2=1").engine, "cudnn");
  EXPECT_EQ(split_choice("cudnn:eng5_k2=1").plan, "eng5_k2=1");
  EXPECT_EQ(split_choice("cudnn").plan, "");
  EXPECT_TRUE(is_plan_name("narrow_eng5_k2=-1"));
  for (const std::string& text : {std::string(), std::string("Eng5"), std::string("a b"), std::string("a\n"),
                                  std::string("a:b"), std::string(193, 'a'), std::string("a\0", 2)})
    EXPECT_FALSE(is_plan_name(text)) << text;
}

TEST(EnginePlans, are_found_by_name_where_the_engine_has_some) {
  Device device;
  EXPECT_TRUE(find_candidate(device.candidates(), "cudnn"));
  EXPECT_FALSE(find_candidate(device.candidates(), "cublas"));
  EXPECT_FALSE(find_candidate(device.candidates(), "cudnn:a")) << "it has no plans";
  device.plans = {"a", "b"};
  const std::optional<Candidate> found = find_candidate(device.candidates(), "cudnn:b");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->engine, "cudnn:b");
  EXPECT_TRUE(found->run());
  EXPECT_EQ(device.ran, std::vector<std::string>{"cudnn:b"});
  EXPECT_FALSE(find_candidate(device.candidates(), "cudnn:c")->run()) << "there is no such plan";
  EXPECT_FALSE(find_candidate(device.candidates(), "fused:a"));
}

TEST(EnginePlans, are_timed_each_by_itself_and_the_fastest_is_written_down) {
  const Folder folder;
  const EngineCache cache(folder / "card.txt");
  Device device;
  device.plans = {"slow", "fast", "usual"};
  device.times = {{"fused", 2}, {"cudnn:slow", 3}, {"cudnn:fast", 0.5}, {"cudnn:usual", 1}};
  Choice choice = make(device, "auto", {}, cache);
  choice.run("convolve a", device.candidates(), Phase::warming_up);
  EXPECT_EQ(device.asked_for_plans, 0);
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.ran.back(), "cudnn:fast");
  EXPECT_EQ(to_text(choice.choices()), "convolve a = cudnn:fast\n");
  EXPECT_EQ(read(folder / "card.txt"), "convolve a = cudnn:fast\n");
  device.ran.clear();
  for (const Phase phase : {usual, Phase::recording}) choice.run("convolve a", device.candidates(), phase);
  EXPECT_EQ(device.ran, (std::vector<std::string>{"cudnn:fast", "cudnn:fast"}));
  EXPECT_EQ(device.asked_for_plans, 1);

  Device later;
  later.plans = device.plans;
  make(later, "auto", {}, cache).run("convolve a", later.candidates(), usual);
  make(later, "auto", {{"convolve a", {"cudnn:slow", {}}}}).run("convolve a", later.candidates(), usual);
  EXPECT_EQ(later.ran, (std::vector<std::string>{"cudnn:fast", "cudnn:slow"}));
  EXPECT_EQ(later.timed, 0);
}

TEST(EnginePlans, of_an_older_choice_are_up_to_the_engine) {
  Device device;
  device.plans = {"a"};
  Choice choice = make(device, "auto", {{"convolve a", {"cudnn", {}}}});
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.ran, std::vector<std::string>{"cudnn"});
  EXPECT_EQ(to_text(choice.choices()), "convolve a = cudnn\n");
}

TEST(EnginePlans, that_are_gone_end_the_run_that_was_given_them_and_are_timed_anew_otherwise) {
  const Folder folder;
  const EngineCache cache(folder / "card.txt");
  cache.store("convolve a", {"cudnn:gone", {}});
  Device device;
  device.plans = {"a"};
  device.takes("cudnn:a", 1);
  try {
    make(device, "auto", {{"convolve a", {"cudnn:gone", {}}}}).run("convolve a", device.candidates(), usual);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device_unavailable);
    EXPECT_EQ(std::string(error.what()).find("the run was started with engine 'cudnn:gone' for 'convolve a', which"), 0u)
        << error.what();
  }
  EXPECT_TRUE(device.ran.empty());
  make(device, "auto", {}, cache).run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.ran.back(), "cudnn:a");
  EXPECT_EQ(read(folder / "card.txt"), "convolve a = cudnn:a\n");
}

TEST(EnginePlans, that_fail_leave_the_others) {
  Device device;
  device.plans = {"broken", "refused", "good"};
  device.times = {{"fused", 2}, {"cudnn:good", 1}};
  device.failing["cudnn:broken"] = ErrorKind::internal;
  device.refused["cudnn:refused"] = 1;
  Choice choice = make(device, "auto");
  testing::internal::CaptureStderr();
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "layerwise: engine cudnn:broken is left out for 'convolve a': it is broken\n");
  EXPECT_EQ(device.ran.back(), "cudnn:good");

  device.failing["cudnn:good"] = ErrorKind::out_of_memory;  // later: not even tried again
  testing::internal::CaptureStderr();
  choice.run("convolve a", device.candidates(), usual);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.find("layerwise: engine cudnn:good is left out for 'convolve a': it is broken\n"), 0u) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  EXPECT_EQ(to_text(choice.choices()), "convolve a = fused\n");
}

TEST(EnginePlans, that_compute_something_else_leave_the_others) {
  const Folder folder;
  const EngineCache cache(folder / "card.txt");
  Device device;
  device.plans = {"wrong", "nan", "good"};
  device.times = {{"fused", 2}, {"cudnn:wrong", 0.1}, {"cudnn:nan", 0.1}, {"cudnn:good", 1}};
  device.results["cudnn:wrong"] = {1, -2, 3.1f};
  device.results["cudnn:nan"] = {1, std::numeric_limits<float>::quiet_NaN(), 3};
  Choice choice = make(device, "auto", {}, cache);
  testing::internal::CaptureStderr();
  choice.run("convolve a", device.candidates(), usual);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(said.find("layerwise: engine cudnn:wrong is left out for 'convolve a': its element 2 is 3.1"), 0U) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  EXPECT_EQ(device.ran.back(), "cudnn:good");
  const std::string text = "convolve a = cudnn:good (different: cudnn:wrong, cudnn:nan)\n";
  EXPECT_EQ(to_text(choice.choices()), text);
  EXPECT_EQ(read(folder / "card.txt"), text);

  device.failing["cudnn:good"] = ErrorKind::internal;  // later: those that are wrong are not tried again
  device.ran.clear();
  testing::internal::CaptureStderr();
  choice.run("convolve a", device.candidates(), usual);
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(device.ran, std::vector<std::string>(device.ran.size(), "fused"));
}

TEST(EnginePlans, that_cannot_be_listed_leave_out_the_engine) {
  Device device;
  device.plans = {"a"};
  device.failing["plans"] = ErrorKind::internal;
  Choice choice = make(device, "auto");
  testing::internal::CaptureStderr();
  choice.run("convolve a", device.candidates(), usual);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "layerwise: engine cudnn is left out for 'convolve a': there are none\n");
  EXPECT_EQ(device.ran.back(), "fused");
}

TEST(EnginePlans, are_not_timed_where_the_engine_is_forced) {
  Device device;
  device.plans = {"a"};
  make(device, "cudnn").run("convolve a", device.candidates(), usual);
  EXPECT_EQ(device.ran, std::vector<std::string>{"cudnn"});
  EXPECT_EQ(device.asked_for_plans, 0);
}

TEST(EngineCache, keeps_what_others_have_stored_meanwhile) {
  const Folder folder;
  const EngineCache one(folder / "card.txt"), other(folder / "card.txt");
  one.store("convolve a", {"fused", {}});
  other.store("convolve b", {"cublas", {}});
  EXPECT_EQ(to_text(one.load()), "convolve a = fused\nconvolve b = cublas\n");
  for (const auto& entry : fs::directory_iterator(folder / "."))
    EXPECT_EQ(entry.path().filename(), "card.txt") << "nothing else is left";
}

TEST(EngineCache, takes_a_damaged_file_for_an_empty_one) {
  const Folder folder;
  for (const char* damaged : {"convolve a = cudnn\nconvolve b = ", "\xff\xfe", "convolve a"}) {
    write(folder / "card.txt", damaged);
    const EngineCache cache(folder / "card.txt");
    EXPECT_TRUE(cache.load().empty());
    cache.store("convolve a", {"fused", {}});
    EXPECT_EQ(read(folder / "card.txt"), "convolve a = fused\n");
  }
}

TEST(EngineCache, does_without_where_it_cannot_write) {
  const Folder folder;
  write(folder / "file", "");
  const EngineCache cache(folder / "file/below/card.txt");
  cache.store("convolve a", {"fused", {}});
  EXPECT_TRUE(cache.load().empty());
}

TEST(EngineCache, names_its_file_after_the_device) {
  const char* const before = std::getenv("XDG_CACHE_HOME");
  const std::string saved = before != nullptr ? before : "";
  setenv("XDG_CACHE_HOME", "/caches", 1);
  EXPECT_EQ(EngineCache::file_of("NVIDIA H100/../x 13.0"), "/caches/layerwise/engines/NVIDIA_H100_.._x_13.0.txt");
  setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_NE(EngineCache::file_of("card").string().rfind("relative", 0), 0U) << "a relative path is no cache";
  if (before != nullptr)
    setenv("XDG_CACHE_HOME", saved.c_str(), 1);
  else
    unsetenv("XDG_CACHE_HOME");
}

TEST(EngineChoices, are_the_same_after_writing_and_reading) {
  const std::string text =
      "convolve 128x32x32x3 weight 128x3x3x3 stride 1 padding 1 bf16 bias = fused (different: cublas, cudnn)\n"
      "convolve_data_gradient 1x1x1x8 weight 8x1x1x8 stride 1 padding 0 f32 = cublas\n"
      "convolve_weight_gradient 2x8x8x8 weight 8x3x3x8 stride 1 padding 1 bf16 = cudnn:eng12_k2=13_k14=-1 "
      "(different: cudnn:eng3, cudnn:narrow_eng4)\n";
  const EngineChoices choices = parse_engine_choices(text);
  EXPECT_EQ(to_text(choices), text);
  EXPECT_EQ(choices.begin()->second.engine, "fused");
  EXPECT_EQ(choices.begin()->second.different, (std::vector<std::string>{"cublas", "cudnn"}));
  EXPECT_TRUE(parse_engine_choices("").empty());
}

TEST(EngineChoices, are_not_read_from_anything_else) {
  for (const std::string& text :
       {std::string("convolve a"), std::string("convolve a = 7"), std::string("convolve a = fused "),
        std::string(" = fused"), std::string("Convolve = fused"), std::string("\n"), std::string("a\t= fused"),
        std::string("a = fused\na = cudnn"), std::string("a = fused = cudnn"), std::string("a = fused (different: )"),
        std::string("a = fused (different: cudnn"), std::string("a = fused (different: cudnn,)"),
        std::string("a\0b = fused", 11),
        std::string("a = cudnn:"), std::string("a = cudnn:Eng"), std::string("a = cudnn:eng1 eng2"),
        std::string("a = :eng1"), "a = cudnn:" + std::string(193, 'a'), std::string("a = fused (different: cudnn:)"),
        std::string(5000, 'a') + " = fused", std::string(2 << 20, '\n')})
    EXPECT_THROW(parse_engine_choices(text), Error) << text.substr(0, 40);
}

TEST(VendorLibraries, are_looked_for_in_the_packages_of_pythons) {
  const Folder folder;
  fs::create_directories(folder / "lib/python3.12/site-packages/nvidia/cudnn/lib");
  fs::create_directories(folder / "lib/python3.12/site-packages/nvidia/cu13/lib");
  fs::create_directories(folder / "lib/python2.7/site-packages/nvidia/cudnn/lib");
  fs::create_directories(folder / "lib/other/site-packages/nvidia/cudnn/lib");
  std::vector<std::string> found;
  for (const fs::path& path : library_folders({folder / ".", folder / "missing"}))
    if (path.string().find("layerwise-engines") != std::string::npos)
      found.push_back(path.lexically_normal().string());
  const std::string packages = (folder / "lib/python3.12/site-packages/nvidia").string();
  EXPECT_EQ(found, (std::vector<std::string>{packages + "/cu13/lib", packages + "/cudnn/lib"}));
}

TEST(VendorLibraries, that_are_missing_are_named) {
  try {
    const VendorLibrary library("libno-such-library.so.13");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device_unavailable);
    EXPECT_NE(std::string(error.what()).find("libno-such-library.so.13 does not load"), std::string::npos);
  }
  const VendorLibrary libc("libc.so.6");
  int (*function)() = nullptr;
  libc.find("getpid", function);
  EXPECT_GT(function(), 0);
  EXPECT_THROW(libc.find("no_such_function", function), Error);
}

}  // namespace layerwise::cuda

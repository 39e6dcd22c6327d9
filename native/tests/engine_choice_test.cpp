// How engines are chosen, and how choices are written down: engine_choice.h, engine_cache.h, vendor_libraries.h.
#include "backend/cuda/engine_choice.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/vendor_libraries.h"
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

/// Candidates on an imaginary device: each takes as long as its name is given, and notes that it ran.
class Device {
 public:
  std::vector<std::string> ran;

  void takes(const std::string& engine, double time) { times_[engine] = time; }

  std::vector<Candidate> candidates() {
    std::vector<Candidate> all;
    for (const char* engine : {"fused", "cudnn"})
      all.push_back({engine, [this, engine] {
                       if (refused.count(engine) != 0) return false;
                       if (without_memory.count(engine) != 0) fail(ErrorKind::out_of_memory, "there is no room");
                       ran.emplace_back(engine);
                       return true;
                     }});
    return all;
  }

  /// The least of several times counts: every other one is slow.
  EngineChoice::Timer timer() {
    return [this](const std::function<void()>& work) {
      work();
      ++timed;
      return times_.at(ran.back()) * (timed % 2 == 0 ? 1 : 100);
    };
  }

  int timed = 0;
  std::map<std::string, int> refused, without_memory;

 private:
  std::map<std::string, double> times_ = {{"fused", 2}, {"cudnn", 1}};
};

EngineChoice make(Device& device, const std::string& engine, EngineChoices given = {},
                  std::optional<EngineCache> cache = {}) {
  return EngineChoice(engine, std::move(given), std::move(cache), device.timer());
}

}  // namespace

TEST(EngineChoice, takes_the_fastest_and_leaves_its_result) {
  for (const double fused : {0.5, 2.0}) {
    Device device;
    device.takes("fused", fused);
    EngineChoice choice = make(device, "auto");
    choice.run("convolve a", device.candidates(), true);
    const std::string fastest = fused < 1 ? "fused" : "cudnn";
    EXPECT_EQ(device.ran.back(), fastest) << "outputs must be the chosen engine's";
    EXPECT_GT(device.timed, 0);
    EXPECT_EQ(to_text(choice.choices()), "convolve a = " + fastest + "\n");

    device.ran.clear();
    choice.run("convolve a", device.candidates(), true);
    EXPECT_EQ(device.ran, std::vector<std::string>{fastest}) << "it is timed once";
  }
}

TEST(EngineChoice, is_made_for_every_operation_by_itself) {
  Device device;
  EngineChoice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), true);
  device.takes("fused", 0.1);
  choice.run("convolve b", device.candidates(), true);
  EXPECT_EQ(to_text(choice.choices()), "convolve a = cudnn\nconvolve b = fused\n");
}

TEST(EngineChoice, obeys_what_it_was_given) {
  Device device;
  EngineChoice choice = make(device, "auto", {{"convolve a", "fused"}, {"convolve b", "cublas"}});
  choice.run("convolve a", device.candidates(), true);
  EXPECT_EQ(device.ran, std::vector<std::string>{"fused"});
  EXPECT_EQ(device.timed, 0);
  EXPECT_THROW(choice.run("convolve b", device.candidates(), true), Error) << "that engine is not here";
}

TEST(EngineChoice, never_times_while_a_step_is_recorded) {
  Device device;
  EngineChoice choice = make(device, "auto");
  choice.run("convolve a", device.candidates(), false);
  EXPECT_EQ(device.timed, 0);
  EXPECT_EQ(device.ran, std::vector<std::string>{"fused"});
  choice.run("convolve a", device.candidates(), true);
  EXPECT_EQ(device.timed, 0) << "what a recording holds stays";
}

TEST(EngineChoice, leaves_out_what_an_engine_cannot_do) {
  for (const bool has_memory : {true, false}) {
    Device device;
    (has_memory ? device.refused : device.without_memory)["cudnn"] = 1;
    EngineChoice choice = make(device, "auto");
    choice.run("convolve a", device.candidates(), true);
    EXPECT_EQ(to_text(choice.choices()), "convolve a = fused\n");
  }
}

TEST(EngineChoice, is_forced_by_name) {
  Device device;
  EngineChoice fused = make(device, "fused", {{"convolve a", "cudnn"}});
  fused.run("convolve a", device.candidates(), true);
  EngineChoice cudnn = make(device, "cudnn", {{"convolve a", "fused"}});
  cudnn.run("convolve a", device.candidates(), true);
  device.refused["cudnn"] = 1;
  cudnn.run("convolve a", device.candidates(), true);
  EXPECT_EQ(device.ran, (std::vector<std::string>{"fused", "cudnn", "fused"}));
  EXPECT_EQ(device.timed, 0);
  EXPECT_TRUE(cudnn.choices().empty());
}

TEST(EngineChoice, is_found_on_disk_by_the_next_run) {
  const Folder folder;
  const EngineCache cache(folder / "cache/card.txt");
  Device device;
  make(device, "auto", {}, cache).run("convolve a", device.candidates(), true);
  EXPECT_EQ(read(folder / "cache/card.txt"), "convolve a = cudnn\n");

  Device later;
  later.takes("fused", 0.1);
  make(later, "auto", {}, cache).run("convolve a", later.candidates(), true);
  EXPECT_EQ(later.ran, std::vector<std::string>{"cudnn"});
  make(later, "auto", {{"convolve a", "fused"}}, cache).run("convolve a", later.candidates(), true);
  EXPECT_EQ(later.ran.back(), "fused") << "a run's own choices come first";
  EXPECT_EQ(later.timed, 0);
}

TEST(EngineCache, keeps_what_others_have_stored_meanwhile) {
  const Folder folder;
  const EngineCache one(folder / "card.txt"), other(folder / "card.txt");
  one.store("convolve a", "fused");
  other.store("convolve b", "cublas");
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
    cache.store("convolve a", "fused");
    EXPECT_EQ(read(folder / "card.txt"), "convolve a = fused\n");
  }
}

TEST(EngineCache, does_without_where_it_cannot_write) {
  const Folder folder;
  write(folder / "file", "");
  const EngineCache cache(folder / "file/below/card.txt");
  cache.store("convolve a", "fused");
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
  const EngineChoices choices = {{"convolve 128x32x32x3 weight 128x3x3x3 stride 1 padding 1 bf16 bias", "fused"},
                                 {"convolve_data_gradient 1x1x1x8 weight 8x1x1x8 stride 1 padding 0 f32", "cublas"}};
  EXPECT_EQ(parse_engine_choices(to_text(choices)), choices);
  EXPECT_TRUE(parse_engine_choices("").empty());
}

TEST(EngineChoices, are_not_read_from_anything_else) {
  for (const std::string& text :
       {std::string("convolve a"), std::string("convolve a = winograd"), std::string("convolve a = fused "),
        std::string(" = fused"), std::string("Convolve = fused"), std::string("\n"), std::string("a\t= fused"),
        std::string("a = fused\na = cudnn"), std::string("a = fused = cudnn"), std::string("a\0b = fused", 11),
        std::string(300, 'a') + " = fused", std::string(2 << 20, '\n')})
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

// How many threads compute. ctest runs these under several settings of OpenMP as well.
#include "backend/cpu/threads.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "core/error.h"

namespace layerwise::cpu {
namespace {

int size_of_team() {
  int size = 0;
#pragma omp parallel
#pragma omp single
  size = omp_get_num_threads();
  return size;
}

TEST(Threads, AreWhatWasAskedForOrRefused) {
  if (omp_get_thread_limit() < 2) {
    try {
      thread_count(2);
      FAIL() << "two threads where the limit is one";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::device_unavailable);
      EXPECT_NE(std::string(error.what()).find("OMP_THREAD_LIMIT"), std::string::npos) << error.what();
    }
    EXPECT_THROW(use_threads(2), Error);
  } else {
    EXPECT_EQ(thread_count(2), 2);
    use_threads(2);
    EXPECT_EQ(size_of_team(), 2);
  }
  EXPECT_EQ(thread_count(1), 1);
}

TEST(Threads, AreAsManyAsOpenMpProvidesWhereNoneAreAskedFor) {
  const int count = thread_count(0);
  ASSERT_GE(count, 1);
  const char* const asked = std::getenv("OMP_NUM_THREADS");
  if (asked != nullptr) {
    EXPECT_EQ(count, std::atoi(asked));
  }
  use_threads(count);
  EXPECT_EQ(size_of_team(), count);
}

TEST(Threads, AreThoseAskedForWhateverTheCallingThreadHadSet) {
  if (omp_get_thread_limit() < 2) GTEST_SKIP() << "OpenMP's limit is one thread";
  std::thread([] {  // a thread of its own: these settings are kept per thread
    omp_set_dynamic(1);
    omp_set_max_active_levels(0);
    omp_set_num_threads(1);
    use_threads(2);
    EXPECT_EQ(size_of_team(), 2);
  }).join();
}

TEST(Threads, AreThoseAskedForInsideAParallelRegionOfTheCaller) {
  if (omp_get_thread_limit() < 8) GTEST_SKIP() << "OpenMP's limit is " << omp_get_thread_limit() << " threads";
  int sizes[2] = {0, 0};
#pragma omp parallel num_threads(2)
  {
    use_threads(2);
    sizes[omp_get_thread_num()] = size_of_team();
  }
  EXPECT_EQ(sizes[0], 2);
  EXPECT_EQ(sizes[1], 2);
}

TEST(Threads, OutsideTheRangeAreRefused) {
  EXPECT_THROW(thread_count(-1), Error);
  EXPECT_THROW(thread_count(1025), Error);
}

/// A root folder with files of the kernel.
class QuotaTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "layerwise-quota-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  int quota() const { return cpu_quota(root_.string()); }

 private:
  std::filesystem::path root_;
};

TEST_F(QuotaTest, IsNoneWhereTheKernelSaysNothing) {
  EXPECT_EQ(quota(), 0);
  write("proc/self/cgroup", "0::/\n");
  EXPECT_EQ(quota(), 0);
  write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), 0);
}

TEST_F(QuotaTest, IsRoundedUpToWholeCores) {
  write("proc/self/cgroup", "0::/\n");
  write("sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota(), 2);
  write("sys/fs/cgroup/cpu.max", "20000 100000\n");
  EXPECT_EQ(quota(), 1);
}

TEST_F(QuotaTest, IsTheTightestOfAGroupAndThoseAboveIt) {
  write("proc/self/cgroup", "0::/user/job\n");
  write("sys/fs/cgroup/user/cpu.max", "100000 100000\n");
  write("sys/fs/cgroup/user/job/cpu.max", "400000 100000\n");
  EXPECT_EQ(quota(), 1);
}

TEST_F(QuotaTest, IsFoundInVersionOneToo) {
  write("proc/self/cgroup", "12:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n");
  write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 0);
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");  // inside the container
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 3);
}

TEST_F(QuotaTest, IgnoresWhatItDoesNotUnderstand) {
  write("proc/self/cgroup", "\nno colons\n0:\n0::relative\n0::/\n");
  write("sys/fs/cgroup/cpu.max", "-5 0\n");
  EXPECT_EQ(quota(), 0);
}

}  // namespace
}  // namespace layerwise::cpu

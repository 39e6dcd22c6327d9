// Collectives of CUDA devices, over a stand-in for NCCL that checks what it is given.
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <stdexcept>
#include <string>

#include "backend/cuda/collectives/nccl.h"
#include "backend/cuda/cuda_backend.h"
#include "block_support.h"
#include "cuda_on_host/nccl_stand_in.h"
#include "cuda_on_host/runtime_api.h"
#include "processes/host_collectives.h"
#include "processes_in_threads.h"

namespace layerwise::testing {
namespace {

using cuda_on_host::nccl_stand_in;

class NcclTest : public ::testing::Test {
 protected:
  void SetUp() override { nccl_stand_in = {}; }
  void TearDown() override {
    nccl_stand_in = {};
    EXPECT_EQ(cuda_on_host::live_nccl_communicators(), 0) << "each is destroyed or aborted once";
  }
};

std::string failure_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

/// A rank's device and its collectives.
struct Rank {
  explicit Rank(const std::shared_ptr<Communicator>& communicator) {
    DeviceOptions options;
    options.precision = Precision::f32;
    options.engine = "fused";
    backend = make_cuda_backend("cuda-on-host", options);
    backend->enter();
    collectives = backend->open_collectives(std::make_unique<HostCollectives>(communicator));
  }

  ArenaTensor tensor(const std::vector<float>& values) {
    ArenaTensor made = backend->arena().take(DataType::float32, Shape::vector(static_cast<int64_t>(values.size())));
    upload(*backend, values.data(), made.view());
    return made;
  }
  std::vector<float> values(const Tensor& tensor) { return download<float>(*backend, tensor); }

  std::unique_ptr<Backend> backend;
  std::unique_ptr<Collectives> collectives;
};

void in_ranks(int size, const std::function<void(Rank&)>& body) {
  in_processes(size, [&](const std::shared_ptr<Communicator>& communicator) {
    Rank rank(communicator);
    body(rank);
  });
}

void wait_for_others(Rank& rank) {
  char nothing = 0;
  rank.collectives->broadcast(&nothing, 1, 0);
}

TEST_F(NcclTest, sums_in_rank_order_and_scales) {
  for (const int64_t count : {1, 100, 20001}) {  // gathered whole, and in uneven slices
    in_ranks(3, [&](Rank& rank) {
      // The order shows: (1 + 1e17) − 1e17 is 0, but 1 + (1e17 − 1e17) is 1.
      const float parts[] = {1, 1e17f, -1e17f}, others[] = {1, 2, 4};
      const auto number = static_cast<size_t>(rank.collectives->rank());
      const ArenaTensor ordered = rank.tensor(std::vector<float>(static_cast<size_t>(count), parts[number]));
      rank.collectives->ordered_sum({ordered.view()}, 1);
      EXPECT_EQ(rank.values(ordered), std::vector<float>(static_cast<size_t>(count), 0));
      const ArenaTensor a = rank.tensor(std::vector<float>(static_cast<size_t>(count), others[number]));
      const ArenaTensor b = rank.tensor({others[number] + 1, 8});
      rank.collectives->ordered_sum({a.view(), b.view()}, 0.5);
      EXPECT_EQ(rank.values(a), std::vector<float>(static_cast<size_t>(count), 3.5));
      EXPECT_EQ(rank.values(b), (std::vector<float>{5, 12}));
    });
  }
}

TEST_F(NcclTest, has_the_bits_of_the_hosts_sums_and_moments) {
  in_processes(3, [](const std::shared_ptr<Communicator>& communicator) {
    Rank rank(communicator);
    HostCollectives host(communicator);
    const auto stream = static_cast<uint32_t>(communicator->rank() + 1);
    for (const int64_t count : {77, 10007}) {
      std::vector<float> values = random_values(count, stream);
      const ArenaTensor on_device = rank.tensor(values);
      rank.collectives->ordered_sum({on_device.view()}, 0.3);
      host.ordered_sum({{values.data(), DataType::float32, Shape::vector(count)}}, 0.3);
      EXPECT_EQ(rank.values(on_device), values);
    }
    const int64_t channels = 300;
    std::vector<float> mean = random_values(channels, stream + 10), variance = random_values(channels, stream + 20);
    const ArenaTensor mean_on_device = rank.tensor(mean), variance_on_device = rank.tensor(variance);
    const std::vector<int64_t> counts = {5, 16777217, 3};
    rank.collectives->merge_moments(mean_on_device, variance_on_device, counts);
    host.merge_moments({mean.data(), DataType::float32, Shape::vector(channels)},
                       {variance.data(), DataType::float32, Shape::vector(channels)}, counts);
    EXPECT_EQ(rank.values(mean_on_device), mean);
    EXPECT_EQ(rank.values(variance_on_device), variance);
  });
}

TEST_F(NcclTest, gathers_rows_of_even_and_uneven_numbers) {
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>{2, 2, 2}, {1, 3, 2}}) {
    in_ranks(3, [&](Rank& rank) {
      const auto number = static_cast<size_t>(rank.collectives->rank());
      const auto count = static_cast<size_t>(5 * rows[number]);
      const ArenaTensor own = rank.tensor(std::vector<float>(count, static_cast<float>(number)));
      const ArenaTensor all = rank.backend->arena().take(DataType::float32, Shape::vector(30));
      rank.collectives->all_gather(own, all, rows);
      std::vector<float> expected;
      for (size_t r = 0; r < rows.size(); ++r)
        expected.insert(expected.end(), static_cast<size_t>(5 * rows[r]), static_cast<float>(r));
      EXPECT_EQ(rank.values(all), expected);
    });
  }
}

TEST_F(NcclTest, is_recorded_and_replayed) {
  in_ranks(2, [](Rank& rank) {
    const float one = 1;
    const Tensor sum{rank.backend->allocate(sizeof one), DataType::float32, Shape::vector(1)};
    for (int i = 0; i < 2; ++i) rank.collectives->ordered_sum({sum}, 1);  // the arena learns its size
    rank.backend->copy_to_device(sum.data, &one, sizeof one);
    rank.backend->begin_recording();
    rank.collectives->ordered_sum({sum}, 1);
    const std::unique_ptr<Recording> recording = rank.backend->end_recording();
    EXPECT_EQ(rank.values(sum), std::vector<float>{1});
    for (int i = 0; i < 3; ++i) recording->replay();
    EXPECT_EQ(rank.values(sum), std::vector<float>{8});
    rank.backend->release(sum.data);
  });
}

// ---- what goes wrong ------------------------------------------------------------------------------

TEST_F(NcclTest, that_does_not_connect_is_given_up) {
  nccl_stand_in.connects = false;
  in_processes(2, [](const std::shared_ptr<Communicator>& communicator) {
    HostCollectives host(communicator);
    EXPECT_EQ(failure_of([&] { cuda::Nccl(cuda::open_nccl(), host, nullptr, std::chrono::milliseconds(1100)); }),
              "NCCL was not done with connecting the processes after 1 s; a process may have ended, or cannot be reached"
              " (NCCL_DEBUG=INFO shows what NCCL does)");
  });
}

TEST_F(NcclTest, that_fails_says_what_it_was_doing) {
  for (const char* function : {"ncclGetVersion", "ncclCommInitRankConfig", "ncclCommGetAsyncError"}) {
    nccl_stand_in.result = [function](const std::string& called) {
      return called == function ? cuda::ncclSystemError : cuda::ncclSuccess;
    };
    const std::string said = failure_of([] { in_ranks(2, [](Rank&) {}); });
    EXPECT_EQ(said.find("NCCL reports 'an error' while "), 0u) << function << ": " << said;
  }
  for (const char* function : {"ncclAllGather", "ncclSend", "ncclRecv", "ncclGroupStart", "ncclGroupEnd"}) {
    nccl_stand_in.result = {};
    const std::string said = failure_of([&] {
      in_ranks(2, [&](Rank& rank) {
        // All ranks are connected before any fails.
        rank.collectives->gather(0);
        if (rank.collectives->rank() == 0)
          nccl_stand_in.result = [function](const std::string& called) {
            return called == function ? cuda::ncclSystemError : cuda::ncclSuccess;
          };
        wait_for_others(rank);
        const ArenaTensor own = rank.tensor(std::vector<float>(20000, 1));
        rank.collectives->ordered_sum({own.view()}, 1);
      });
    });
    EXPECT_EQ(said.find("NCCL reports 'an error' while "), 0u) << function << ": " << said;
  }
}

TEST_F(NcclTest, whose_connection_fails_between_steps_says_so) {
  EXPECT_EQ(failure_of([] {
              in_ranks(2, [](Rank& rank) {
                rank.collectives->gather(0);
                if (rank.collectives->rank() == 0)
                  nccl_stand_in.result = [](const std::string& called) {
                    return called == "ncclCommGetAsyncError" ? cuda::ncclInvalidUsage : cuda::ncclSuccess;
                  };
                wait_for_others(rank);
                rank.collectives->gather(0);
              });
            }),
            "NCCL reports 'invalid usage' while sending between processes (NCCL_DEBUG=INFO shows more)");
}

TEST_F(NcclTest, of_different_versions_is_refused) {
  in_processes(2, [](const std::shared_ptr<Communicator>& communicator) {
    HostCollectives host(communicator);
    cuda::NcclFunctions functions = cuda::open_nccl();
    if (communicator->rank() == 1)
      functions.get_version = [](int* version) {
        *version = 22105;
        return cuda::ncclSuccess;
      };
    EXPECT_EQ(failure_of([&] { cuda::Nccl(functions, host, nullptr); }),
              "rank 1 has NCCL 2.21.5 and rank 0 NCCL 2.29.3; install the same version everywhere");
  });
}

// The stand-in itself: what real NCCL would answer with a hang.
TEST_F(NcclTest, stand_in_finds_calls_that_do_not_match) {
  const auto misuse = [](const std::function<void(Rank&, const Tensor&)>& body) {
    return failure_of([&] {
      in_ranks(2, [&](Rank& rank) {
        const ArenaTensor memory = rank.tensor(std::vector<float>(64, 1));
        body(rank, memory);
      });
    });
  };
  const std::string counts = misuse([](Rank& rank, const Tensor& memory) {
    const int64_t elements = rank.collectives->rank() == 0 ? 8 : 16;
    rank.collectives->ordered_sum({{memory.data, DataType::float32, Shape::vector(elements)}}, 1);
  });
  EXPECT_NE(counts.find("gathers 32 bytes of each rank, and rank 1 64"), std::string::npos) << counts;
  const std::string rows = misuse([](Rank& rank, const Tensor& memory) {
    const bool first = rank.collectives->rank() == 0;
    const ArenaTensor all = rank.backend->arena().take(DataType::float32, Shape::vector(24));
    rank.collectives->all_gather(memory, all, first ? std::vector<int64_t>{16, 8} : std::vector<int64_t>{8, 16});
  });
  EXPECT_NE(rows.find("bytes from rank"), std::string::npos) << rows;
  const std::string host_memory = misuse([](Rank& rank, const Tensor&) {
    float value = 1;
    rank.collectives->ordered_sum({{&value, DataType::float32, Shape::vector(1)}}, 1);
  });
  EXPECT_NE(host_memory.find("not device memory"), std::string::npos) << host_memory;
}

TEST_F(NcclTest, stand_in_finds_calls_out_of_order) {
  in_ranks(1, [](Rank& rank) {
    const cuda::NcclFunctions nccl = cuda::open_nccl();
    cuda::ncclUniqueId id{};
    ASSERT_EQ(nccl.get_unique_id(&id), cuda::ncclSuccess);
    cuda::ncclConfig_t config{sizeof config, cuda::nccl_config_magic, cuda::nccl_config_version, 0};
    cuda::ncclComm_t communicator = nullptr;
    ASSERT_EQ(nccl.init_rank(&communicator, 1, id, 0, &config), cuda::ncclInProgress);
    const ArenaTensor memory = rank.tensor({1, 2});
    float* const data = memory.view().as<float>();
    cudaStream_t one = nullptr, other = nullptr;
    cudaStreamCreate(&one);
    cudaStreamCreate(&other);
    const auto gather = [&](cudaStream_t stream) {
      return nccl.all_gather(data, data, 8, cuda::ncclInt8, communicator, stream);
    };
    const auto ask = [&] {
      cuda::ncclResult_t result = cuda::ncclInProgress;
      while (result == cuda::ncclInProgress) nccl.get_async_error(communicator, &result);
    };
    EXPECT_EQ(gather(one), cuda::ncclInvalidUsage) << "nobody has asked whether it is connected";
    ask();
    EXPECT_EQ(gather(one), cuda::ncclInProgress);
    EXPECT_EQ(gather(one), cuda::ncclInvalidUsage) << "nobody has asked whether the call before is done";
    ask();
    EXPECT_EQ(gather(other), cuda::ncclInvalidUsage) << "another stream";
    EXPECT_EQ(nccl.send(data, 8, cuda::ncclInt8, 0, communicator, one), cuda::ncclInvalidUsage) << "no group";
    EXPECT_EQ(nccl.group_end(), cuda::ncclInvalidUsage) << "no group was started";
    nccl.destroy(communicator);
    cudaStreamDestroy(one);
    cudaStreamDestroy(other);
  });
}

}  // namespace
}  // namespace layerwise::testing

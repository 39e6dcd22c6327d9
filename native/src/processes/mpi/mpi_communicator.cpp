// The communicator over MPI, and the library's exports.
#include <mpi.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>

#include "processes/mpi_library.h"

using namespace layerwise;

namespace {

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail(ErrorKind::internal, "MPI could not ", what, ": ", text);
}

/// MPI counts in int.
int count_of(int64_t bytes) {
  require(bytes >= 0 && bytes <= std::numeric_limits<int>::max(), "the processes would exchange ", bytes,
          " bytes in one message, but MPI takes at most 2147483647; use a smaller batch or network");
  return static_cast<int>(bytes);
}

/// Sizes of messages, and where they begin.
struct Layout {
  explicit Layout(const std::vector<int64_t>& bytes) {
    int64_t begin = 0;
    for (const int64_t size : bytes) {
      counts.push_back(count_of(size));
      begins.push_back(count_of(begin));
      begin += size;
    }
  }
  std::vector<int> counts, begins;
};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator() {
    int started = 0, level = 0;
    MPI_Initialized(&started);
    require_state(started == 0, "MPI has been started in this process already");
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), "start");
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "take an error handler");
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "tell the rank");
    check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "tell how many processes there are");
  }
  ~MpiCommunicator() override { MPI_Finalize(); }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void broadcast(void* data, int64_t bytes, int root) override {
    check(MPI_Bcast(data, count_of(bytes), MPI_BYTE, root, MPI_COMM_WORLD), "broadcast");
  }

  void all_gather(const void* piece, void* gathered, const std::vector<int64_t>& bytes) override {
    const Layout layout(bytes);
    const bool in_place = piece == static_cast<char*>(gathered) + layout.begins[static_cast<size_t>(rank_)];
    check(MPI_Allgatherv(in_place ? MPI_IN_PLACE : piece, layout.counts[static_cast<size_t>(rank_)], MPI_BYTE, gathered, layout.counts.data(),
                         layout.begins.data(), MPI_BYTE, MPI_COMM_WORLD),
          "gather");
  }

  void exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes) override {
    const auto self = static_cast<size_t>(rank_);
    Layout sent(bytes);
    sent.counts[self] = 0;
    std::vector<int64_t> of_others(bytes.size(), bytes[self]);
    of_others[self] = 0;
    const Layout own(of_others);
    check(MPI_Alltoallv(slices, sent.counts.data(), sent.begins.data(), MPI_BYTE, received, own.counts.data(),
                        own.begins.data(), MPI_BYTE, MPI_COMM_WORLD),
          "exchange slices");
  }

  void sum_slices(const void* slices, void* received, const std::vector<int64_t>& counts, DataType type) override {
    std::vector<int> sizes;
    for (const int64_t count : counts) sizes.push_back(count_of(count));
    check(MPI_Reduce_scatter(slices, received, sizes.data(), type == DataType::float64 ? MPI_DOUBLE : MPI_FLOAT, MPI_SUM,
                             MPI_COMM_WORLD),
          "sum slices");
  }

  void abort(int exit_code) noexcept override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

 private:
  int rank_ = 0, size_ = 1;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) OpenMpiCommunicator layerwise_open_mpi_communicator;
extern "C" __attribute__((visibility("default"))) MpiDescription layerwise_mpi_description;

extern "C" Communicator* layerwise_open_mpi_communicator(const char* version, MpiFailure& failure) noexcept {
  const auto note = [&failure](ErrorKind kind, const char* message) {
    failure.kind = kind;
    std::snprintf(failure.message, sizeof failure.message, "%s", message);
  };
  try {
    if (std::strcmp(version, LAYERWISE_VERSION) != 0)
      fail(ErrorKind::device_unavailable, "the MPI library is of version " LAYERWISE_VERSION
           " and liblayerwise of version ", version, "; install both from one build");
    return new MpiCommunicator();
  } catch (const Error& error) {
    note(error.kind(), error.what());
  } catch (const std::exception& error) {
    note(ErrorKind::internal, error.what());
  } catch (...) {
    note(ErrorKind::internal, "starting MPI failed for an unknown reason");
  }
  return nullptr;
}

extern "C" const char* layerwise_mpi_description() noexcept {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  if (text[0] == '\0' && MPI_Get_library_version(text, &length) == MPI_SUCCESS)
    text[std::strcspn(text, ",\n")] = '\0';  // the name and the version come first
  return text;
}

// The communicator over MPI, and the library's exports.
#include <mpi.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

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

/// MPI, from its start to its end.
class Session {
 public:
  Session() {
    int started = 0, level = 0;
    MPI_Initialized(&started);
    require_state(started == 0, "MPI has been started in this process already");
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), "start");
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "take an error handler");
  }
  ~Session() { MPI_Finalize(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

class MpiCommunicator final : public Communicator {
 public:
  /// Takes `group` over, if it is not the world. MPI does not end before the last communicator is gone.
  MpiCommunicator(std::shared_ptr<Session> session, MPI_Comm group) : session_(std::move(session)), group_(group) {
    check(MPI_Comm_rank(group_, &rank_), "tell the rank");
    check(MPI_Comm_size(group_, &size_), "tell how many processes there are");
  }
  ~MpiCommunicator() override {
    if (group_ != MPI_COMM_WORLD) MPI_Comm_free(&group_);
  }
  MpiCommunicator(const MpiCommunicator&) = delete;
  MpiCommunicator& operator=(const MpiCommunicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void broadcast(void* data, int64_t bytes, int root) override {
    check(MPI_Bcast(data, count_of(bytes), MPI_BYTE, root, group_), "broadcast");
  }

  void all_gather(const void* piece, void* gathered, const std::vector<int64_t>& bytes) override {
    const Layout layout(bytes);
    const bool in_place = piece == static_cast<char*>(gathered) + layout.begins[static_cast<size_t>(rank_)];
    check(MPI_Allgatherv(in_place ? MPI_IN_PLACE : piece, layout.counts[static_cast<size_t>(rank_)], MPI_BYTE, gathered,
                         layout.counts.data(), layout.begins.data(), MPI_BYTE, group_),
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
                        own.begins.data(), MPI_BYTE, group_),
          "exchange slices");
  }

  void send(const void* data, int64_t bytes, int to) override {
    check(MPI_Send(data, count_of(bytes), MPI_BYTE, to, 0, group_), "send");
  }

  void start_send(const void* data, int64_t bytes, int to) override {
    sends_.emplace_back();
    check(MPI_Isend(data, count_of(bytes), MPI_BYTE, to, 0, group_, &sends_.back()), "begin to send");
  }

  void finish_sends() override {
    check(MPI_Waitall(static_cast<int>(sends_.size()), sends_.data(), MPI_STATUSES_IGNORE), "send");
    sends_.clear();
  }

  int64_t next_message_bytes(int from) override {
    MPI_Status message;
    int bytes = 0;
    check(MPI_Probe(from, 0, group_, &message), "wait for a message");
    check(MPI_Get_count(&message, MPI_BYTE, &bytes), "tell a message's size");
    return bytes;
  }

  void receive(void* data, int64_t bytes, int from) override {
    check(MPI_Recv(data, count_of(bytes), MPI_BYTE, from, 0, group_, MPI_STATUS_IGNORE), "receive");
  }

  std::shared_ptr<Communicator> split(int group) override {
    MPI_Comm part = MPI_COMM_NULL;
    check(MPI_Comm_split(group_, group, rank_, &part), "form groups of processes");
    return std::make_shared<MpiCommunicator>(session_, part);
  }

  void sum_slices(const void* slices, void* received, const std::vector<int64_t>& counts, DataType type) override {
    std::vector<int> sizes;
    for (const int64_t count : counts) sizes.push_back(count_of(count));
    check(MPI_Reduce_scatter(slices, received, sizes.data(), type == DataType::float64 ? MPI_DOUBLE : MPI_FLOAT, MPI_SUM,
                             group_),
          "sum slices");
  }

  void abort(int exit_code) noexcept override { MPI_Abort(MPI_COMM_WORLD, exit_code); }

 private:
  std::shared_ptr<Session> session_;
  MPI_Comm group_;
  int rank_ = 0, size_ = 1;
  std::vector<MPI_Request> sends_;
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
    return new MpiCommunicator(std::make_shared<Session>(), MPI_COMM_WORLD);
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

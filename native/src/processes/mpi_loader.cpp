#include "processes/mpi_loader.h"

#include <dlfcn.h>

#include "core/error.h"
#include "core/own_folder.h"
#include "processes/mpi_library.h"

namespace layerwise {

namespace {

void* library() {
  const auto file = own_folder() / "liblayerwise_mpi.so";
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable))
    fail(ErrorKind::device_unavailable, "this build cannot train in several processes: ", file.filename().string(),
         " is missing; install MPI (on Debian: apt-get install libopenmpi-dev openmpi-bin) and build Layerwise again");
  void* const opened = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (opened == nullptr)
    fail(ErrorKind::device_unavailable, "MPI does not load: ", dlerror(),
         "; install the MPI that Layerwise was built with, or build Layerwise again with the one that is installed");
  return opened;
}

template <class Function>
Function* find(const char* symbol) {
  const auto found = reinterpret_cast<Function*>(dlsym(library(), symbol));
  if (found == nullptr)
    fail(ErrorKind::device_unavailable, "liblayerwise_mpi.so does not have ", symbol,
         "; install it from the same build as liblayerwise");
  return found;
}

}  // namespace

std::shared_ptr<Communicator> open_mpi_communicator() {
  MpiFailure failure;
  Communicator* const opened = find<OpenMpiCommunicator>(open_mpi_communicator_symbol)(LAYERWISE_VERSION, failure);
  if (opened == nullptr) throw Error(failure.kind, failure.message);
  return std::shared_ptr<Communicator>(opened);
}

std::string mpi_description() { return find<MpiDescription>(mpi_description_symbol)(); }

}  // namespace layerwise

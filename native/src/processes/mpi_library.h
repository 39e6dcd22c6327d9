// What liblayerwise_mpi.so exports: one function. It is opened only when a communicator is asked for, so that nothing else
// depends on MPI.
#pragma once

#include <memory>

#include "core/error.h"
#include "processes/communicator.h"

namespace layerwise {

/// Where starting MPI fails: why. The message is cut where it does not fit.
struct MpiFailure {
  ErrorKind kind = ErrorKind::internal;
  char message[512] = "";
};

/// The exported functions' names and types; neither throws. The first starts MPI, which a process can do once, and returns
/// a communicator that the caller owns, or null and the failure; destroying it ends MPI. `version` is that of the caller:
/// both must come from one build. The second gives one line about the MPI library, and starts nothing.
constexpr const char* open_mpi_communicator_symbol = "layerwise_open_mpi_communicator";
using OpenMpiCommunicator = Communicator*(const char* version, MpiFailure& failure) noexcept;
constexpr const char* mpi_description_symbol = "layerwise_mpi_description";
using MpiDescription = const char*() noexcept;

}  // namespace layerwise

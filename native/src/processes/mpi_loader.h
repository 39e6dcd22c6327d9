// Opens the MPI communicator, which is a library of its own.
#pragma once

#include <memory>
#include <string>

#include "processes/communicator.h"

namespace layerwise {

/// The processes that mpirun or srun has started together; without a launcher, this process alone. A process can do this
/// once. Throws Error(device_unavailable), one sentence that says what to install, where this build or this machine has
/// no MPI.
std::shared_ptr<Communicator> open_mpi_communicator();

/// The MPI library in use, such as "Open MPI v4.1.4"; throws as open_mpi_communicator does.
std::string mpi_description();

}  // namespace layerwise

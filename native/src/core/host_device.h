// Marks functions that nvcc compiles for the device as well.
#pragma once

#ifdef __CUDACC__
#define LAYERWISE_HOST_DEVICE __host__ __device__
#else
#define LAYERWISE_HOST_DEVICE
#endif

// Marks functions that nvcc compiles for the device as well.
#pragma once

#ifdef __CUDACC__
#define LAYERWISE_HOST_DEVICE __host__ __device__
#else
#define LAYERWISE_HOST_DEVICE
#endif

/// Never emitted as a function that another translation unit might share.
#define LAYERWISE_ALWAYS_INLINE LAYERWISE_HOST_DEVICE static inline __attribute__((always_inline))

# The CUDA backend's sources, for the library that nvcc builds and the one that runs on the host.
set(layerwise_cuda_host_sources
  ${CMAKE_CURRENT_LIST_DIR}/cuda_backend.cpp
  ${CMAKE_CURRENT_LIST_DIR}/recording.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime.cpp
  ${CMAKE_CURRENT_LIST_DIR}/staging.cpp
  ${CMAKE_CURRENT_LIST_DIR}/unfinished.cpp)
set(layerwise_cuda_kernel_sources
  ${CMAKE_CURRENT_LIST_DIR}/add_tensor.cu
  ${CMAKE_CURRENT_LIST_DIR}/affine_coefficients.cu
  ${CMAKE_CURRENT_LIST_DIR}/classifier_loss.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolution_forward.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolve.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolve_data_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolve_weight_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/device_writes.cu
  ${CMAKE_CURRENT_LIST_DIR}/encoder_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/hidden_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/optimizer_step.cu
  ${CMAKE_CURRENT_LIST_DIR}/reconstruction_loss.cu
  ${CMAKE_CURRENT_LIST_DIR}/similarity_loss.cu
  ${CMAKE_CURRENT_LIST_DIR}/sums.cu)
# A library of its own brings its own copy of what it needs from the core.
set(layerwise_cuda_library_sources
  ${CMAKE_CURRENT_LIST_DIR}/cuda_library.cpp
  ${CMAKE_CURRENT_LIST_DIR}/../../core/arena.cpp
  ${CMAKE_CURRENT_LIST_DIR}/../../core/tensor.cpp)

# The CUDA backend's sources, for the library that nvcc builds and the one that runs on the host.
set(layerwise_cuda_host_sources
  ${CMAKE_CURRENT_LIST_DIR}/collectives/nccl.cpp
  ${CMAKE_CURRENT_LIST_DIR}/collectives/nccl_collectives.cpp
  ${CMAKE_CURRENT_LIST_DIR}/cuda_backend.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/cudnn.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/cudnn_graph.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/engine_cache.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/engine_choice.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/engine_comparison.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/engine_plans.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/engines.cpp
  ${CMAKE_CURRENT_LIST_DIR}/engines/library_engines.cpp
  ${CMAKE_CURRENT_LIST_DIR}/hopper/hopper.cpp
  ${CMAKE_CURRENT_LIST_DIR}/product.cpp
  ${CMAKE_CURRENT_LIST_DIR}/recording.cpp
  ${CMAKE_CURRENT_LIST_DIR}/runtime.cpp
  ${CMAKE_CURRENT_LIST_DIR}/staging.cpp)
# What engine choices depend on beside the card and the libraries, for engines.cpp: a hash of all sources that kernels
# are made of. CMake runs again when one of them changes.
file(GLOB layerwise_kernel_files CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_LIST_DIR}/*.cu ${CMAKE_CURRENT_LIST_DIR}/*.cuh ${CMAKE_CURRENT_LIST_DIR}/*.h
  ${CMAKE_CURRENT_LIST_DIR}/hopper/*.cu ${CMAKE_CURRENT_LIST_DIR}/hopper/*.cuh ${CMAKE_CURRENT_LIST_DIR}/hopper/*.h
  ${CMAKE_CURRENT_LIST_DIR}/../../core/*.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${layerwise_kernel_files})
set(layerwise_kernel_hashes "")
foreach(file IN LISTS layerwise_kernel_files)
  file(SHA256 ${file} hash)
  string(APPEND layerwise_kernel_hashes ${hash})
endforeach()
string(SHA256 layerwise_kernel_revision "${layerwise_kernel_hashes}")
string(SUBSTRING ${layerwise_kernel_revision} 0 12 layerwise_kernel_revision)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/engines/engines.cpp PROPERTIES
  COMPILE_DEFINITIONS LAYERWISE_KERNEL_REVISION="${layerwise_kernel_revision}")
set(layerwise_cuda_kernel_sources
  ${CMAKE_CURRENT_LIST_DIR}/add_tensor.cu
  ${CMAKE_CURRENT_LIST_DIR}/batch_norm_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/classifier_loss.cu
  ${CMAKE_CURRENT_LIST_DIR}/collectives/rank_sums.cu
  ${CMAKE_CURRENT_LIST_DIR}/convert.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolution_forward.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolve.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolve_data_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/convolve_weight_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/deviation_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/device_writes.cu
  ${CMAKE_CURRENT_LIST_DIR}/drop_elements.cu
  ${CMAKE_CURRENT_LIST_DIR}/encoder_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/hidden_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/hopper/convolve.cu
  ${CMAKE_CURRENT_LIST_DIR}/hopper/data_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/hopper/weight_gradient.cu
  ${CMAKE_CURRENT_LIST_DIR}/load_batch.cu
  ${CMAKE_CURRENT_LIST_DIR}/merge_moments.cu
  ${CMAKE_CURRENT_LIST_DIR}/mix_batch.cu
  ${CMAKE_CURRENT_LIST_DIR}/moments_of_tensor.cu
  ${CMAKE_CURRENT_LIST_DIR}/normalize_activate.cu
  ${CMAKE_CURRENT_LIST_DIR}/optimizer_step.cu
  ${CMAKE_CURRENT_LIST_DIR}/pad_channels.cu
  ${CMAKE_CURRENT_LIST_DIR}/reconstruction_loss.cu
  ${CMAKE_CURRENT_LIST_DIR}/similarity_loss.cu
  ${CMAKE_CURRENT_LIST_DIR}/sum_of_squares.cu
  ${CMAKE_CURRENT_LIST_DIR}/sums.cu)
# A library of its own brings its own copy of what it needs from the core.
set(layerwise_cuda_library_sources
  ${CMAKE_CURRENT_LIST_DIR}/cuda_library.cpp
  ${CMAKE_CURRENT_LIST_DIR}/../../core/arena.cpp
  ${CMAKE_CURRENT_LIST_DIR}/../../core/tensor.cpp)

// What tests ask of the stand-ins for cuBLAS and cuDNN (library_stand_in.cpp).
#pragma once

#include <functional>

namespace layerwise::cuda_on_host {

struct LibraryStandIn {
  bool under_auto = false;               // they are there for the engine "auto" too, which then chooses by time, when a
                                         // backend is made
  std::function<void(bool is_product)> before;  // is called first by every product or convolution, and may throw
};

inline LibraryStandIn library_stand_in;

}  // namespace layerwise::cuda_on_host

#include "core/tensor.h"

#include <sstream>

namespace layerwise {

std::string Shape::to_string() const {
  std::ostringstream text;
  text << n << "×" << c;
  if (h != 1 || w != 1) text << "×" << h << "×" << w;
  return text.str();
}

}  // namespace layerwise

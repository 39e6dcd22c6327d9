#include "operation_cases.h"

namespace layerwise::test {

const std::vector<OperationCase>& operation_cases() {
  static const std::vector<OperationCase> cases = [] {
    std::vector<OperationCase> all;
    add_convolution_cases(all);
    add_block_cases(all);
    add_loss_cases(all);
    add_tensor_cases(all);
    add_training_cases(all);
    return all;
  }();
  return cases;
}

const std::vector<OperationCase>& many_tile_cases() {
  static const std::vector<OperationCase> cases = [] {
    std::vector<OperationCase> all;
    add_many_tile_convolution_cases(all);
    add_many_tile_block_cases(all);
    return all;
  }();
  return cases;
}

const std::vector<OperationCase>& cases_in_eights() {
  static const std::vector<OperationCase> cases = [] {
    std::vector<OperationCase> all;
    add_convolution_cases_in_eights(all);
    add_block_cases_in_eights(all);
    add_loss_cases_in_eights(all);
    return all;
  }();
  return cases;
}

const std::vector<Geometry>& geometries() {
  static const std::vector<Geometry> all = {
      //                       N   H   W    I    O  KH KW  S  P
      {"one_of_everything",    1,  1,  1,   1,   1, 1, 1, 1, 0},
      {"usual_3x3",            2,  8,  8,  16,  32, 3, 3, 1, 1},
      {"odd_map",              3,  5,  7,   3,   5, 3, 3, 1, 1},
      {"odd_channels",         2,  6,  6,  33,   5, 3, 3, 1, 1},
      {"gray_image",           5,  9, 10,   1,  16, 3, 3, 1, 1},
      {"map_2x2",              4,  2,  2,  16,  16, 3, 3, 1, 1},
      {"map_1x1_padded",       3,  1,  1,   5,   2, 3, 3, 1, 1},
      {"stride_2_odd",         1,  9,  7,   2,  33, 3, 3, 2, 1},
      {"stride_2_even",        3,  8,  8,  16,  16, 3, 3, 2, 1},
      {"stem_7x7",             1, 17, 19,   3,  16, 7, 7, 2, 3},
      {"shortcut_1x1",         3,  7,  5,   5,  16, 1, 1, 2, 0},
      {"bottleneck_1x1",       2,  6,  6,  16,  33, 1, 1, 1, 0},
      {"no_padding",           2,  6,  5,   3,   2, 3, 3, 1, 0},
      {"whole_map",            7,  4,  4,  16, 100, 4, 4, 1, 0},
      {"whole_oblong_map",     5,  3,  5,   3,  33, 3, 5, 1, 0},
      {"linear",               9,  1,  1,  33, 100, 1, 1, 1, 0},
      {"linear_one_sample",    1,  1,  1, 100,  16, 1, 1, 1, 0},
      {"several_tiles",        5, 16, 16,  32,  64, 3, 3, 1, 1},
      {"large_tiles",          2, 16, 17,  16, 136, 3, 3, 1, 1},
  };
  return all;
}

}  // namespace layerwise::test

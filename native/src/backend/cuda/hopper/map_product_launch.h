// Plans and launches map_product.cuh.
#pragma once

#include <algorithm>

#include "backend/cuda/epilogue_launch.h"
#include "backend/cuda/hopper/hopper_plan.h"
#include "backend/cuda/hopper/map_product.cuh"

namespace layerwise::cuda::hopper {

template <class Product>
void launch_map_product(const Device& device, const MapPlan& plan, const Bfloat16* map, const Bfloat16* weights,
                        int64_t channels, int64_t columns, const typename Product::Epilogue& epilogue) {
  typename Product::Arguments a{};
  a.tiles = plan.tiles;
  a.map = map;
  a.weights = weights;
  a.channels = static_cast<int>(channels);
  a.columns = static_cast<int>(columns);
  a.map_plane_bytes = plane_length(plan.tiles.staged_positions(), Product::planes_of_map) * place_bytes;
  a.map_slots = std::min(Product::most_map_slots, Product::map_room / (Product::planes_of_map * a.map_plane_bytes));
  a.row_tiles = static_cast<int>(plan.row_tiles);
  a.column_tiles = static_cast<int>(plan.column_tiles);
  a.band = tiles_in_band;
  a.epilogue = epilogue;
  const unsigned blocks = persistent_blocks(device, hopper_map_product_kernel<Product>,
                                            plan.row_tiles * plan.column_tiles, Product::shared_bytes);
  LAYERWISE_LAUNCH(hopper_map_product_kernel<Product>, blocks, hopper_threads, Product::shared_bytes, device.stream, a);
}

/// With tiles of as many rows as the plan says.
template <Inner inner_b, class Epilogue>
void run_map_product(const Device& device, const MapPlan& plan, const Bfloat16* map, const Bfloat16* weights,
                     int64_t channels, int64_t columns, const Epilogue& epilogue) {
  if (plan.tiles.tile_rows() == MapProduct<inner_b, 2, Epilogue>::rows)
    launch_map_product<MapProduct<inner_b, 2, Epilogue>>(device, plan, map, weights, channels, columns, epilogue);
  else
    launch_map_product<MapProduct<inner_b, 1, Epilogue>>(device, plan, map, weights, channels, columns, epilogue);
}

}  // namespace layerwise::cuda::hopper

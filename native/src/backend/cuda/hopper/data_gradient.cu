#include "backend/cuda/hopper/hopper.h"
#include "backend/cuda/hopper/map_product_launch.h"

namespace layerwise::cuda {

void hopper::convolve_data_gradient(Device& device, const Convolution&, const Tensor& d_y, const Tensor& weight,
                                    const Tensor& d_x) {
  const MapPlan plan = plan_map_product(d_x.shape, d_y.shape.c, d_x.shape.c, device.multiprocessors);
  with_output<Bfloat16>(d_x, [&](auto* output) {
    const ForwardEpilogue<std::remove_pointer_t<decltype(output)>, MapTiles> epilogue{
        output, plan.tiles.rows(), as_int(d_x.shape.c), nullptr, {}, plan.tiles};
    run_map_product<Inner::extent>(device, plan, d_y.as<Bfloat16>(), weight.as<Bfloat16>(), d_y.shape.c, d_x.shape.c,
                                   epilogue);
  });
}

void hopper::hidden_gradient(Device& device, const HiddenGradient& op, const Tensor& d_z) {
  const MapPlan plan = plan_map_product(op.h.shape, d_z.shape.c, op.h.shape.c, device.multiprocessors);
  with_hidden_epilogue<Bfloat16>(device, op, plan.tiles, product_rows, [&](const auto& epilogue) {
    run_map_product<Inner::extent>(device, plan, d_z.as<Bfloat16>(), op.similarity_weight.as<Bfloat16>(), d_z.shape.c,
                                   op.h.shape.c, epilogue);
  });
}

}  // namespace layerwise::cuda

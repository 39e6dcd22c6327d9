#include "backend/cuda/hopper/hopper.h"
#include "backend/cuda/hopper/map_product_launch.h"

namespace layerwise::cuda {

void hopper::convolve(Device& device, const Convolution&, const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const Tensor& y, const OutputMoments& moments) {
  const MapPlan plan = plan_map_product(y.shape, x.shape.c, y.shape.c, device.multiprocessors);
  ForwardEpilogue<Bfloat16, MapTiles> epilogue{
      y.as<Bfloat16>(), plan.tiles.rows(), as_int(y.shape.c), bias.as<float>(), {}, plan.tiles};
  with_moments(device, moments, y.shape, bias, product_rows, epilogue, [&] {
    run_map_product<Inner::depth>(device, plan, x.as<Bfloat16>(), weight.as<Bfloat16>(), x.shape.c, y.shape.c, epilogue);
  });
}

}  // namespace layerwise::cuda

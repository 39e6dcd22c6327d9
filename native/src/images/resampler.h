// Resizes a box of an image to a square.
#pragma once

#include <cstdint>

namespace layerwise {

/// An image: red, green and blue levels in (height, width, 3) order.
struct RgbImage {
  const uint8_t* levels;
  int height;
  int width;
};

/// A box of an image, in pixels; its edges may lie between them.
struct Box {
  double top;
  double left;
  double height;
  double width;
};

/// Resizes a box to planes of (3, size, size), with PIL's bilinear filter: a triangle that reaches to the next output pixel or
/// the next input pixel, whichever is further. So shrinking averages over all pixels, and does not leave some out. Rows first,
/// then columns; both in float, without fused multiply-adds, so that every processor gives the same bits. Pixels just outside
/// the box count, too, where the image has them. Throws Error(invalid_argument) where the box does not lie in the image.
///
/// @param flip whether to mirror it left to right
void resample(const RgbImage& image, const Box& box, int size, bool flip, uint8_t* planes);

}  // namespace layerwise

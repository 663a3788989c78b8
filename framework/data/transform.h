#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "base/shape.h"

namespace octet {

// How training images are varied; 0 or false leaves a transform out. What moves in from outside
// the image is black (pixel 0).
struct AugmentOptions {
  float shift = 0.0f;           // moves by up to +- this many pixels along x and along y
  float rotate_degrees = 0.0f;  // turns about the centre by up to +- this; in [0, 180]
  float scale = 0.0f;           // resizes by a factor in [1 - scale, 1 + scale]; in [0, 0.9]
  float shear = 0.0f;           // x moves by k * y, k up to +- this; in [0, 2]
  int crop_padding = 0;         // pads all sides by this many pixels, then crops at random
  bool flip = false;            // mirrors left and right in half of the cases
  bool alternate_flip = false;  // mirrors each image in every second epoch
  int cutout = 0;               // side in pixels of a square hole, its centre anywhere in the image

  bool operator==(const AugmentOptions&) const = default;
};

// Throws Error if a value lies outside the range given above.
void validate(const AugmentOptions& options);

// Varies one image: affine (shift, rotation, scale and shear at once, bilinear), then crop, flip
// and cutout. A pure function of its arguments, the same on every machine: the pixels are computed
// in integers, the matrix with IEEE operations only.
//   pixels, out: [H, W, C], no overlap      hole: [C], the pixel that cutout fills in
//   mirrored: whether it is alternate_flip's turn, which only the caller can know
// Options are trusted: validate them once.
//   Cutout: DeVries and Taylor 2017 (arXiv:1708.04552).
//   Alternating flip: Jordan 2024 (arXiv:2404.00498), sec. 3.6: every image is seen from both sides
//   in any two epochs.
void augment(std::span<const std::uint8_t> pixels, const Shape& image_shape,
             const AugmentOptions& options, std::span<const std::uint8_t> hole, Rng rng,
             std::span<std::uint8_t> out, bool mirrored = false);

}  // namespace octet

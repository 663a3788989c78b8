#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/f32/tap_ranges.h"

namespace octet {

// The pixels of a convolution's result as lists of rows for the matrix product (GemmF32Args:
// a_rows, c_rows). Pixels with the same taps inside the image are one product, wherever they are in
// the map and in a group of images; so nothing is padded, and no product with a padding zero is
// computed.
struct ConvRows {
  // A product of some pixels, of all of a chain or a stretch of it. Offsets are in floats.
  struct Piece {
    std::int64_t tap = 0;  // the first, as an index into the kernel's
    std::ptrdiff_t a = 0;  // on top of a_rows
    std::int64_t kernel_rows = 0, kernel_columns = 0;
    bool begins = true, ends = true;  // the chain
    std::size_t first = 0;            // entry of the lists; pixels * images of them, image by image
    std::int64_t pixels = 0;
  };
  struct Band {
    std::vector<Piece> pieces;  // in the order in which they run
  };

  std::int64_t images = 1;  // of a group, at most
  std::vector<Band> bands;  // of map rows
  std::vector<std::ptrdiff_t> a_rows, c_rows;

  // Groups of `images`, bands of `band_rows` rows of the map, and of the kernel as many rows at a
  // time as `kernel_rows`.
  ConvRows(const kernels::Conv2dShape& shape, std::int64_t images, std::int64_t band_rows,
           std::int64_t kernel_rows);

  // For one image with a small map, where few pixels have the same taps: tap after tap, the pixels
  // that have it.
  static ConvRows by_tap(const kernels::Conv2dShape& shape);

  // Time of all products: the links of register tiles, each as long as its rows, and a link of few
  // rows as long as four.
  std::int64_t cost(std::int64_t images_now) const;

 private:
  ConvRows() = default;
  void repeat_for_images(std::size_t first, const kernels::Conv2dShape& shape);
};

}  // namespace octet

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/tap_axis.h"
#include "kernels/u8s8/gemm.h"
#include "kernels/u8s8/pooled_conv.h"

namespace octet {

// The geometry of a convolution over one image [h, w, c]. A linear layer is a 1x1 kernel on an
// image of one pixel.
struct ConvShape {
  std::int64_t h = 1, w = 1, c = 1;
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride = 1, padding = 0, groups = 1;
  std::int64_t out_h = 1, out_w = 1;
};

// How each output pixel of a convolution finds its products: by a list of the taps that lie inside
// the image, so that nothing is padded and no product with a padding zero is computed. Pixels with
// one list are a class (at most 9 for a 3x3 kernel); a class has its own bias, in which its taps'
// zero points are folded.
//
// Where the kernel takes k in groups and a pixel's channels are no whole number of them, a list
// could not begin at each tap. Then the image is first copied with a border of its zero point, and
// all pixels are one class. The same where channels are few and the kernel would copy each row's
// short runs: then it is a copy of the kernel's own form.
//
// With a 2x2 max pool behind the convolution (kernels::Pool) the pixels of a window are one after
// the other, all windows are one class, and the image is copied if it has padding. Up to 8 output
// channels are folded: each row is two neighbouring pixels, and its columns are both pixels'
// channels, for which the kernel is one tap wider and steps two pixels at once. Where there is a
// kernel for just that, a pooled convolution of few output channels, it takes the copied image.
struct TapLists {
  struct Class {
    kernels::TapRange rows, columns;  // of taps, along each axis
    std::int64_t first_run = 0, run_count = 0;
    std::int64_t first_pixel = 0, pixel_count = 0;  // with pooling: of windows
    std::int64_t bias = 0;                          // which of the biases (PackedWeights::vectors)

    bool has_all_taps(const ConvShape& s) const {
      return rows.count == s.kernel_h && columns.count == s.kernel_w;
    }
  };

  TapLists() = default;
  // pooled: for the max pool behind it; one group, stride 1 or more
  // bordered: the image is copied with its border in any case, without pooling; one group
  TapLists(const kernels::GemmKernel& kernel, const ConvShape& shape, std::int64_t out_channels,
           bool pooled = false, bool bordered = false);

  std::span<const kernels::TapRun> runs_of(const Class& c) const {
    return {runs.data() + c.first_run, static_cast<std::size_t>(c.run_count)};
  }

  // One output channel per input channel: kernels/u8s8/depthwise.h. Lists have a run per tap, in
  // groups of kr, and `shape` counts as one group.
  bool depthwise = false;
  // So many of the convolution's groups are one of `shape`'s: few channels would leave most of a
  // panel empty, and zeros for the other groups' activations cost less.
  std::int64_t joined = 1;
  kernels::Pool pool = kernels::Pool::kNone;
  // With the pool behind it, for kernels/u8s8/pooled_conv.h: no lists, only the image's copy.
  const kernels::PooledConvKernel* pooled_conv = nullptr;
  bool copied = false;  // lists are over the image with its border
  ConvShape shape;      // of the image that is read: with the border, then without padding
  std::int64_t border = 0;
  kernels::PackedK packed;  // of one group
  std::vector<Class> classes;
  std::vector<kernels::TapRun> runs;
  // By pixel, class after class: where its list begins in the image, and where its result does in
  // the output, both in elements. With pooling a window has rows_of(pool) lists and one result.
  std::vector<std::ptrdiff_t> anchors;
  std::vector<std::ptrdiff_t> results;

 private:
  void list_depthwise(const Class& c, std::int64_t kr);
  void list_windows(std::int64_t out_channels);
};

// Copies image [h, w, c] to the middle of `to`, whose border is filled with `zero_point`.
// T: std::uint8_t or std::int16_t
template <class T>
void copy_with_border(const ConvShape& bordered, std::int64_t border, const std::uint8_t* image,
                      std::uint8_t zero_point, T* to) noexcept {
  if (border == 0) {
    std::copy_n(image, bordered.h * bordered.w * bordered.c, to);
    return;
  }
  const std::int64_t line = bordered.w * bordered.c, inside = line - 2 * border * bordered.c;
  // One long fill and a copy of each line: many short fills take longer than all that they spare.
  std::fill_n(to, bordered.h * line, T{zero_point});
  to += border * (line + bordered.c);
  for (std::int64_t y = 2 * border; y < bordered.h; ++y, image += inside, to += line) {
    std::copy_n(image, inside, to);
  }
}

}  // namespace octet

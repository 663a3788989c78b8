#include "runtime/im2col.h"

#include <algorithm>
#include <cstring>

namespace octet {
namespace {

// Copies a few bytes without calling memcpy, whose call costs more than the copy: two overlapping
// pieces of fixed size.
template <std::size_t kBytes>
void copy_overlapping(std::uint8_t* out, const std::uint8_t* from, std::size_t size) {
  std::uint8_t head[kBytes], tail[kBytes];
  std::memcpy(head, from, kBytes);
  std::memcpy(tail, from + size - kBytes, kBytes);
  std::memcpy(out, head, kBytes);
  std::memcpy(out + size - kBytes, tail, kBytes);
}

void copy(std::uint8_t* out, const std::uint8_t* from, std::size_t size) {
  if (size > 32) {
    std::memcpy(out, from, size);
  } else if (size >= 16) {
    copy_overlapping<16>(out, from, size);
  } else if (size >= 8) {
    copy_overlapping<8>(out, from, size);
  } else if (size >= 4) {
    copy_overlapping<4>(out, from, size);
  } else {
    for (std::size_t i = 0; i < size; ++i) out[i] = from[i];
  }
}

}  // namespace

void im2col(const ConvShape& s, const std::uint8_t* image, std::int64_t begin, std::int64_t end,
            std::int64_t first, std::int64_t channels, std::uint8_t zero_point,
            std::uint8_t* out) noexcept {
  const auto fill = [&](std::int64_t pixels) {
    if (pixels == 0) return;
    std::memset(out, zero_point, static_cast<std::size_t>(pixels * channels));
    out += pixels * channels;
  };
  for (std::int64_t p = begin; p < end; ++p) {
    const std::int64_t top = p / s.out_w * s.stride - s.padding;
    const std::int64_t left = p % s.out_w * s.stride - s.padding;
    // The columns [x_begin, x_end) of the window lie inside the image.
    const std::int64_t x_begin = std::clamp(-left, std::int64_t{0}, s.kernel_w);
    const std::int64_t x_end = std::clamp(s.w - left, x_begin, s.kernel_w);
    for (std::int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const std::int64_t y = top + ky;
      if (y < 0 || y >= s.h || x_begin == x_end) {
        fill(s.kernel_w);
        continue;
      }
      fill(x_begin);
      const std::uint8_t* from = image + (y * s.w + left + x_begin) * s.c + first;
      if (channels == s.c) {  // the pixels of a row follow each other
        const std::int64_t bytes = (x_end - x_begin) * channels;
        copy(out, from, static_cast<std::size_t>(bytes));
        out += bytes;
      } else {
        for (std::int64_t x = x_begin; x < x_end; ++x, from += s.c, out += channels) {
          copy(out, from, static_cast<std::size_t>(channels));
        }
      }
      fill(s.kernel_w - x_end);
    }
  }
}

}  // namespace octet

#pragma once

#include "kernels/f32/gemm.h"
#include "kernels/tap_axis.h"

namespace octet::kernels {

inline TapAxis vertical_axis(const Conv2dShape& s) {
  return {s.height, s.out_height(), s.kernel_h, s.stride, s.padding};
}
inline TapAxis horizontal_axis(const Conv2dShape& s) {
  return {s.width, s.out_width(), s.kernel_w, s.stride, s.padding};
}

}  // namespace octet::kernels

#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "nn/act.h"

// What a leaf computes in evaluation mode on real numbers, with its state folded into constants:
// what float inference runs, as the ops of ir::Graph are what integer inference runs.
namespace octet {

// y = act(conv(x, weight) + bias [+ the second input]): one chain of fused multiply-adds started at
// the bias, over the taps inside the image in ascending order and the channels of each. A linear
// layer is a 1x1 kernel on images of one pixel.
struct FloatConv2d {
  std::vector<float> weight;  // [out, kernel_h, kernel_w, in / groups]
  std::vector<float> bias;    // [out]
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, padding = 0, groups = 1;
  bool shortcut = false;
  Act act = Act::kNone;
};

// act(a + b)
struct FloatAdd {
  Act act = Act::kNone;
};

// The largest, or the mean, of each window; a kernel of 0 is as large as the map.
struct FloatMaxPool2d {
  std::int64_t kernel = 2, stride = 2, padding = 0;
};
struct FloatAvgPool2d {
  std::int64_t kernel = 0, stride = 1, padding = 0;
};

// All inputs, channel after channel.
struct FloatConcat {};

// The input under another shape or name.
struct FloatIdentity {};

using FloatForm =
    std::variant<FloatConv2d, FloatAdd, FloatMaxPool2d, FloatAvgPool2d, FloatConcat, FloatIdentity>;

}  // namespace octet

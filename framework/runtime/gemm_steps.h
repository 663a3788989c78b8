#pragma once

#include <memory>

#include "runtime/step.h"

namespace octet {

// QConv2d and QLinear: rows times packed weights. A convolution's rows are patches, written out by
// im2col, unless it is 1x1 with stride 1 and no padding: then they are the pixels themselves.
std::unique_ptr<Step> make_conv_step(const PackedModel& model, std::size_t node_index);
std::unique_ptr<Step> make_linear_step(const PackedModel& model, std::size_t node_index);

}  // namespace octet

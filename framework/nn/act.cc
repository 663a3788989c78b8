#include "nn/act.h"

#include <algorithm>

#include "ops/activation.h"

namespace octet {

Tensor activate(const Tensor& x, Act act) {
  if (act == Act::kNone) return x;
  return act == Act::kRelu ? relu(x) : clamp(x, 0.0f, 6.0f);
}

QRange clamp_range(Act act, QParams output, QRange codes) {
  if (act == Act::kNone) return codes;
  const std::int32_t six = quantize_one(6.0f, 1.0f / output.scale, output.zero_point, codes);
  return {output.zero_point, act == Act::kRelu6 ? six : codes.quant_max};
}

}  // namespace octet

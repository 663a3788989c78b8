#include "nn/integer_add.h"

#include "ops/elementwise.h"

namespace octet {

ir::QAdd make_integer_add(QParams a, QParams b, QParams output, QRange clamp) {
  return {.params = make_add_params(a, b, output),
          .clamp_min = clamp.quant_min,
          .clamp_max = clamp.quant_max};
}

Tensor add_codes(const Tensor& a, const Tensor& b, const ir::QAdd& op, QParams output) {
  OCTET_CHECK(!b.defined() || a.shape() == b.shape(), "adds two tensors of one shape, got ",
              a.shape(), " and ", b.shape());
  Tensor y = Tensor::empty(a.shape());
  const float *left = a.data(), *right = b.defined() ? b.data() : nullptr;
  float* code = y.mutable_data();
  for_each_element(y.numel(), [&, left, right, code](std::int64_t i) {
    const auto other = right == nullptr ? 0 : static_cast<std::int32_t>(right[i]);
    code[i] = static_cast<float>(add_one(static_cast<std::int32_t>(left[i]), other, op.params,
                                         output.zero_point, op.clamp_min, op.clamp_max));
  });
  y.set_qparams(output);
  return y;
}

}  // namespace octet

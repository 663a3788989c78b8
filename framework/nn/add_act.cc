#include "nn/add_act.h"

#include "ops/add.h"

namespace octet {

void AddAct::prepare(const QConfig& qconfig) {
  activation_fake_quant_ =
      &add_fake_quantize("activation_fake_quant", TensorRole::kActivation, qconfig.activation);
}

Tensor AddAct::forward(Inputs x) {
  OCTET_CHECK(x.size() == 2, "adds two tensors, got ", x.size());
  const Tensor y = activate(octet::add(x[0], x[1]), o_.act);
  return prepared() ? (*activation_fake_quant_)(y) : y;
}

QRange AddAct::clamp() const {
  return clamp_range(o_.act, activation_fake_quant_->qparams(), activation_fake_quant_->range());
}

// eq. (12)
Tensor AddAct::forward_codes(Inputs x) const {
  OCTET_CHECK(x.size() == 2 && x[0].shape() == x[1].shape(), "adds two tensors of one shape, got ",
              x.size(), " tensors, ", x[0].shape(), " and ", x[x.size() - 1].shape());
  const QParams output = activation_fake_quant_->qparams();
  const AddParams params = make_add_params(*x[0].qparams(), *x[1].qparams(), output);
  const QRange range = clamp();
  Tensor y = Tensor::empty(x[0].shape());
  const float *a = x[0].data(), *b = x[1].data();
  float* code = y.mutable_data();
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    code[i] =
        static_cast<float>(add_one(static_cast<std::int32_t>(a[i]), static_cast<std::int32_t>(b[i]),
                                   params, output.zero_point, range.quant_min, range.quant_max));
  }
  y.set_qparams(output);
  return y;
}

ir::ValueId AddAct::lower(Lowering& lowering) const {
  const QRange range = clamp();
  return lowering.emit(
      ir::QAdd{.params = make_add_params(lowering.input_qparams(0), lowering.input_qparams(1),
                                         activation_fake_quant_->qparams()),
               .clamp_min = range.quant_min,
               .clamp_max = range.quant_max});
}

}  // namespace octet

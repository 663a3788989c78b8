#include "nn/add_act.h"

#include "nn/integer_add.h"
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

ir::QAdd AddAct::integer_add(QParams a, QParams b) const {
  const QParams output = activation_fake_quant_->qparams();
  return make_integer_add(a, b, output,
                          clamp_range(o_.act, output, activation_fake_quant_->range()));
}

Tensor AddAct::forward_codes(Inputs x) const {
  OCTET_CHECK(x.size() == 2, "adds two tensors, got ", x.size());
  return add_codes(x[0], x[1], integer_add(*x[0].qparams(), *x[1].qparams()),
                   activation_fake_quant_->qparams());
}

ir::ValueId AddAct::lower(Lowering& lowering) const {
  return lowering.emit(integer_add(lowering.input_qparams(0), lowering.input_qparams(1)));
}

}  // namespace octet

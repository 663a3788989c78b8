#include "nn/concat.h"

#include "nn/integer_add.h"
#include "nn/trace.h"
#include "ops/concat.h"

namespace octet {
namespace {

// A QAdd of one operand, and its suffix in the graph.
ir::QAdd requantize(QParams x, QParams y, QRange range) {
  return make_integer_add(x, {0.0f, 0}, y, range);
}
std::string requantized(std::size_t i) { return message("requantize", i); }

// Whether codes of the parameters x are those of the output. With fewer than 8 bits an operand of
// another bit width may have the output's parameters and codes beyond its last one.
bool same_codes(QParams x, QParams y, QRange range) { return x == y && range == kActivationRange; }

}  // namespace

void Concat::prepare(const QConfig& qconfig) {
  activation_fake_quant_ =
      &add_fake_quantize("activation_fake_quant", TensorRole::kActivation, qconfig.activation);
}

Tensor Concat::forward(Inputs x) {
  const Tensor y = concat({x.begin(), x.end()});
  return prepared() ? (*activation_fake_quant_)(y) : y;
}

Tensor Concat::forward_codes(Inputs x) const {
  const QParams output = activation_fake_quant_->qparams();
  const QRange range = activation_fake_quant_->range();
  std::vector<Tensor> parts;
  for (std::size_t i = 0; i < x.size(); ++i) {
    Tensor codes = x[i];
    if (!same_codes(*x[i].qparams(), output, range)) {
      codes = add_codes(x[i], Tensor(), requantize(*x[i].qparams(), output, range), output);
      trace_inner(*this, requantized(i), codes);
    }
    parts.push_back(codes.detach().set_qparams({}));  // the op takes real numbers; these are exact
  }
  Tensor y = concat(parts);
  y.set_qparams(output);
  return y;
}

ir::ValueId Concat::lower(Lowering& lowering) const {
  const QParams output = activation_fake_quant_->qparams();
  const QRange range = activation_fake_quant_->range();
  for (std::size_t i = 0; i < lowering.inputs.size(); ++i) {
    const ir::Value x = lowering.graph.value(lowering.inputs[i]);
    if (same_codes(x.qparams, output, range)) continue;
    lowering.inputs[i] = lowering.emit_inner(requantized(i), requantize(x.qparams, output, range),
                                             {lowering.inputs[i]}, x.shape, output);
  }
  return lowering.emit(ir::Concat{});
}

}  // namespace octet

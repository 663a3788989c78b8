#include "nn/concat.h"

#include "ops/concat.h"

namespace octet {
namespace {

// A QAdd of one operand.
AddParams requantize_params(QParams x, QParams y) { return make_add_params(x, {0.0f, 0}, y); }

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
  for (const Tensor& t : x) {
    parts.push_back(t.detach().set_qparams({}));  // the op takes real numbers; these are exact
    if (*t.qparams() == output) continue;
    const AddParams params = requantize_params(*t.qparams(), output);
    parts.back() = Tensor::empty(t.shape());
    float* code = parts.back().mutable_data();
    for (std::int64_t i = 0; i < t.numel(); ++i) {
      code[i] = static_cast<float>(add_one(static_cast<std::int32_t>(t.data()[i]), 0, params,
                                           output.zero_point, range.quant_min, range.quant_max));
    }
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
    if (x.qparams == output) continue;
    const std::string name = message(lowering.name, ".requantize", i);
    const ir::ValueId id = lowering.graph.add_value({name, DType::kU8, x.shape, output});
    lowering.graph.add_node(name,
                            ir::QAdd{.params = requantize_params(x.qparams, output),
                                     .clamp_min = range.quant_min,
                                     .clamp_max = range.quant_max},
                            {lowering.inputs[i]}, id);
    lowering.inputs[i] = id;
  }
  return lowering.emit(ir::Concat{});
}

}  // namespace octet

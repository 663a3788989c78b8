#include "nn/lowering.h"

#include "base/error.h"

namespace octet {

QParams Lowering::input_qparams(std::size_t i) const { return graph.value(inputs[i]).qparams; }

Shape Lowering::output_shape() const {
  const std::vector<std::int64_t>& dims = output.shape().dims();
  return Shape(std::vector<std::int64_t>(dims.begin() + 1, dims.end()));
}

ir::ValueId Lowering::emit(ir::Op op) {
  OCTET_CHECK(output.qparams().has_value(), "gave real numbers instead of codes");
  const DType dtype = output.dtype() == DType::kI32 ? DType::kI32 : DType::kU8;
  const ir::ValueId id = graph.add_value({name, dtype, output_shape(), *output.qparams()});
  graph.add_node(name, std::move(op), inputs, id);
  return id;
}

ir::ValueId Lowering::emit_inner(const std::string& suffix, ir::Op op,
                                 std::vector<ir::ValueId> reads, Shape shape, QParams qparams) {
  const std::string inner = name + "." + suffix;
  const ir::ValueId id = graph.add_value({inner, DType::kU8, std::move(shape), qparams});
  graph.add_node(inner, std::move(op), std::move(reads), id);
  return id;
}

}  // namespace octet

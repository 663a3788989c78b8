#include "nn/lowering.h"

#include "base/error.h"

namespace octet {

QParams Lowering::input_qparams(std::size_t i) const { return graph.value(inputs[i]).qparams; }

ir::ValueId Lowering::emit(ir::Op op) {
  OCTET_CHECK(output.qparams().has_value(), "gave real numbers instead of codes");
  const std::vector<std::int64_t>& dims = output.shape().dims();
  const DType dtype = output.dtype() == DType::kI32 ? DType::kI32 : DType::kU8;
  const ir::ValueId id =
      graph.add_value({name, dtype, Shape(std::vector<std::int64_t>(dims.begin() + 1, dims.end())),
                       *output.qparams()});
  graph.add_node(name, std::move(op), inputs, id);
  return id;
}

}  // namespace octet

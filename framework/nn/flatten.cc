#include "nn/flatten.h"

#include "ops/flatten.h"

namespace octet {

Tensor Flatten::forward(Inputs x) { return flatten(x[0]); }

ir::ValueId Flatten::lower(Lowering& lowering) const { return lowering.emit(ir::Flatten{}); }

}  // namespace octet

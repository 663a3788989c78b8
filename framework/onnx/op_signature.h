#pragma once

#include <cstdint>

#include "onnx/graph_reader.h"

namespace octet {

// Checks a node against the standard: how many inputs and outputs its op has in this opset, and
// which attributes. What the standard does not know there, nobody may have computed with; it is
// refused, not ignored. Returns false for an op that import does not read.
// Throws Error that names the node.
bool check_signature(const OnnxNode& node, std::int64_t opset);

}  // namespace octet

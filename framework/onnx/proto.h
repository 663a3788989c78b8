#pragma once

// ONNX's protobuf classes, for this folder's .cc files and internal headers alone: nothing outside
// of framework/onnx sees protobuf. (onnx-ml.proto is the ONNX standard's message definition.)
#include <onnx/onnx_pb.h>

namespace octet {

namespace pb = ::onnx;

}  // namespace octet

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnx/proto.h"

namespace octet {

// A tensor whose elements an ONNX file gives: an initializer, a Constant node, or what they are
// quantized or dequantized to.
struct Constant {
  pb::TensorProto::DataType type = pb::TensorProto::FLOAT;
  std::vector<std::int64_t> dims;
  std::vector<float> reals;            // of FLOAT
  std::vector<std::int64_t> integers;  // of INT8, UINT8, INT32, INT64, BOOL
  std::string name;                    // the initializer's, before any dequantization
  // Of reals that were dequantized from symmetric 8-bit codes: one element, or one per index of
  // `axis`.
  std::vector<float> scale;
  std::int64_t axis = 0;
  // "UINT8 with zero point 7" if they were dequantized from asymmetric codes, which a bias may be
  // and a weight not.
  std::string asymmetry;

  bool is_real() const { return type == pb::TensorProto::FLOAT; }
  std::int64_t numel() const;
};

// Decodes a tensor. Throws Error on external or segmented data, an element type that no supported
// op takes, negative or overflowing dims, and data of another size than dims say.
Constant read_constant(const pb::TensorProto& tensor);

// How QuantizeLinear and DequantizeLinear see a tensor: scale and zero point, of one element or one
// per index of `axis`.
struct Grid {
  std::vector<float> scale;
  std::vector<std::int64_t> zero_point;  // as many as scales
  pb::TensorProto::DataType type = pb::TensorProto::UINT8;
  std::int64_t axis = 0;
};

// The codes of a real constant: round half to even of x / scale, as ONNX defines it.
Constant quantize_constant(const Constant& real, const Grid& grid);

// Real numbers of a constant's codes. Symmetric is zero point 0 of int8 and int32, 128 of uint8.
Constant dequantize_constant(const Constant& codes, const Grid& grid);

}  // namespace octet

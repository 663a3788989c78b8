#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "inference/float_executor.h"
#include "kernels/f32/kernels.h"
#include "nn/float_form.h"
#include "runtime/step.h"

namespace octet {

// One leaf's call. Values are numbered as in nn/trace.h.
struct FloatNode {
  std::string name;
  FloatForm form;  // of a convolution without its weight and bias
  std::vector<ir::ValueId> inputs;
  ir::ValueId output = 0;
  // Of a convolution: [groups] of kernels::packed_room floats, and [out].
  AlignedBuffer weight, bias;
};

class FloatModel {
 public:
  const kernels::F32Kernels* kernels = nullptr;
  std::vector<FloatNode> nodes;  // in the order of the calls
  std::vector<Shape> shapes;     // by value, without the batch
  ir::ValueId output = 0;

  const Shape& shape(ir::ValueId id) const { return shapes[static_cast<std::size_t>(id)]; }
};

inline const float* read_floats(const Memory& memory, ir::ValueId id) {
  return reinterpret_cast<const float*>(memory.read(id));
}
inline float* write_floats(const Memory& memory, ir::ValueId id) {
  return reinterpret_cast<float*>(memory.write(id));
}

// The step of a node; null for FloatIdentity. Steps refer to the model, which must outlive them.
std::unique_ptr<Step> lower(const FloatModel& model, const FloatNode& node);

// For `lower`: of a FloatConv2d.
std::unique_ptr<Step> make_conv_step(const FloatModel& model, const FloatNode& node);

}  // namespace octet

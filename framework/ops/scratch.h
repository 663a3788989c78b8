#pragma once

#include <cstddef>
#include <memory>

#include "tensor/buffer_pool.h"

namespace octet {

// Memory for one call of a kernel, from the pool and back to it. Not initialized, 64-byte aligned.
class Scratch {
 public:
  explicit Scratch(std::size_t floats) : block_(allocate_block(floats * sizeof(float))) {}
  float* data() { return reinterpret_cast<float*>(block_.get()); }

 private:
  std::shared_ptr<std::byte> block_;
};

}  // namespace octet

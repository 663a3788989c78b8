#pragma once

#include <algorithm>
#include <cstdint>

#include "base/parallel.h"
#include "tensor/tensor.h"

// What the ops share.
namespace octet {

// Throws Error unless x is a float32 tensor of values. Codes with qparams (the twin) have a scale
// that an op over values would silently ignore.
inline void check_values(const char* op, const Tensor& x) {
  OCTET_CHECK(x.defined(), "[", op, "] got an undefined tensor");
  OCTET_CHECK(x.dtype() == DType::kF32, "[", op, "] expects F32, got ", name_of(x.dtype()));
  OCTET_CHECK(!x.qparams(), "[", op, "] got a tensor that carries codes, not values (scale ",
              x.qparams()->scale, ", zero_point ", x.qparams()->zero_point, ")");
}

// Elements that one thread works through at a stretch: 64 KiB of floats, a constant so that nothing
// depends on the machine.
inline constexpr std::int64_t kChunk = 1 << 14;

// Calls body(i) for i in [0, count), chunks in parallel. The loop over a chunk is one that the
// compiler vectorizes when `body` is branch-free.
template <class Body>
void for_each_element(std::int64_t count, const Body& body) {
  parallel_for((count + kChunk - 1) / kChunk, [&](std::int64_t chunk) {
    const std::int64_t end = std::min(count, (chunk + 1) * kChunk);
    const Body b = body;  // a copy: the compiler then knows that no store changes its pointers
    for (std::int64_t i = chunk * kChunk; i < end; ++i) b(i);
  });
}

}  // namespace octet

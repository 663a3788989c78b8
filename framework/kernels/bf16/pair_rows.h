#pragma once

#include <cstddef>
#include <cstdint>

// Float32 to pairs of bfloat16, written once over a vector type (kernels/f32/gemm_tile.h); included
// by one file per instruction set. Beside the product's, the type has
//   pair(even, odd)          lane i: bf16_pair of the operands' lanes i
//   pair_adjacent(a, b)      lane i: bf16_pair of floats 2 i and 2 i + 1 of a and, after it, b
namespace octet::kernels {
namespace {

template <class V>
void pair_rows(std::int64_t count, const float* even, const float* odd, float* pairs) {
  std::int64_t i = 0;
  for (; i + V::kWidth <= count; i += V::kWidth) {
    V::store(pairs + i, V::pair(V::load(even + i), odd == nullptr ? V::zero() : V::load(odd + i)));
  }
  if (i == count) return;
  const typename V::Mask rest = V::mask(count - i);
  V::store(pairs + i,
           V::pair(V::load(even + i, rest), odd == nullptr ? V::zero() : V::load(odd + i, rest)),
           rest);
}

// `count` floats, and a zero where that is odd.
template <class V>
void pair_line(std::int64_t count, const float* x, float* pairs) {
  std::int64_t i = 0;
  for (; i + 2 * V::kWidth <= count; i += 2 * V::kWidth, pairs += V::kWidth) {
    V::store(pairs, V::pair_adjacent(V::load(x + i), V::load(x + i + V::kWidth)));
  }
  const std::int64_t left = count - i;
  if (left == 0) return;
  typename V::Reg first = V::zero(), second = V::zero();
  if (left <= V::kWidth) {
    first = V::load(x + i, V::mask(left));
  } else {
    first = V::load(x + i);
    second = V::load(x + i + V::kWidth, V::mask(left - V::kWidth));
  }
  V::store(pairs, V::pair_adjacent(first, second), V::mask((left + 1) / 2));
}

template <class V>
void pair_columns(std::int64_t rows, std::int64_t columns, const float* x, float* pairs) {
  if (columns % 2 == 0) {  // one long row
    columns *= rows;
    rows = 1;
  }
  for (; rows > 0; --rows, x += columns, pairs += (columns + 1) / 2) {
    pair_line<V>(columns, x, pairs);
  }
}

}  // namespace
}  // namespace octet::kernels

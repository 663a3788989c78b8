#pragma once

#include <immintrin.h>

#include "kernels/u8s8/gemm_tiles.h"

// What the AVX2 and the AVX-VNNI kernels do with the accumulators of a tile, [rows][2] vectors of 8
// columns. Internal to the including file.
namespace octet::kernels {
namespace {

inline __m256i load_8(const std::int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// The left shift of eq. (9), after its clamp.
inline __m256i shifted(__m256i acc, __m256i shift) {
  const __m256i unshifted = _mm256_cmpeq_epi32(shift, _mm256_setzero_si256());
  const __m256i limit = _mm256_srlv_epi32(_mm256_set1_epi32(1 << 30), shift);
  const __m256i low = _mm256_sub_epi32(_mm256_setzero_si256(), limit);
  const __m256i clamped = _mm256_max_epi32(_mm256_min_epi32(acc, limit), low);
  return _mm256_sllv_epi32(_mm256_blendv_epi8(clamped, acc, unshifted), shift);
}

// The packs work within 128-bit halves, so that 16 columns of two rows come out as dwords 0, 4, 1,
// 5 of the first row and 2, 6, 3, 7 of the second.
inline __m256i rows_in_order(__m256i packed) {
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
inline __m256i as_packed(__m256i rows) {
  return _mm256_permutevar8x32_epi32(rows, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
}

// The constants of 16 columns, and what is done with two rows of them. Copies all: stores of bytes
// could change anything that is read through a pointer.
//   kSmall: Epilogue::small_multipliers
template <bool kSmall>
class Epilogue16 {
 public:
  Epilogue16(const Epilogue& e, std::int64_t column) : all_shifts_zero_(e.all_shifts_zero) {
    for (int v = 0; v < 2; ++v) {
      factor_[v] = load_8(e.multiplier + column + 8 * v);
      // Twice the products, and the rounding is left to 16-bit arithmetic:
      // (x + 2^31) >> 32 == ((2 x >> 32) + 1) >> 1.
      if (kSmall) factor_[v] = _mm256_add_epi32(factor_[v], factor_[v]);
      odd_[v] = _mm256_srli_epi64(factor_[v], 32);
      if (!kSmall) shift_[v] = load_8(e.shift + column + 8 * v);
    }
    const int zero_point = kSmall ? 1 + 2 * e.zero_point : e.zero_point;
    zero_point_ = _mm256_set1_epi16(static_cast<std::int16_t>(zero_point));
    low_ = _mm256_set1_epi8(static_cast<char>(e.clamp_min));
    high_ = _mm256_set1_epi8(static_cast<char>(e.clamp_max));
  }

  // Codes of two rows, packed.
  __m256i requantize(const __m256i (&first)[2], const __m256i (&second)[2]) const {
    __m256i a = _mm256_adds_epi16(words(first), zero_point_);
    __m256i b = _mm256_adds_epi16(words(second), zero_point_);
    if (kSmall) {
      a = _mm256_srai_epi16(a, 1);
      b = _mm256_srai_epi16(b, 1);
    }
    return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(a, b), low_), high_);
  }

 private:
  // Saturated to 16 bits: what is cut off lies outside of all codes.
  __m256i words(const __m256i (&acc)[2]) const {
    return _mm256_packs_epi32(scaled(acc[0], 0), scaled(acc[1], 1));
  }

  // eq. (9) without zero point; with kSmall twice that, not rounded. The high half of a 64-bit
  // product is the result; products of the odd columns are shifted down first.
  __m256i scaled(__m256i acc, int v) const {
    if (!kSmall && !all_shifts_zero_) acc = shifted(acc, shift_[v]);
    __m256i evens = _mm256_mul_epi32(acc, factor_[v]);
    __m256i odds = _mm256_mul_epi32(_mm256_srli_epi64(acc, 32), odd_[v]);
    if (!kSmall) {
      const __m256i half = _mm256_set1_epi64x(std::int64_t{1} << 31);
      evens = _mm256_add_epi64(evens, half);
      odds = _mm256_add_epi64(odds, half);
    }
    return _mm256_blend_epi32(_mm256_srli_epi64(evens, 32), odds, 0xAA);
  }

  const bool all_shifts_zero_;
  __m256i factor_[2], odd_[2], shift_[2];
  __m256i zero_point_, low_, high_;
};

// eq. (12): a and b are interleaved to 16-bit pairs, so that a Ma + b Mb is one instruction.
class ResidualAdd {
 public:
  explicit ResidualAdd(const Residual& add)
      : factors_(_mm256_set1_epi32(
            static_cast<std::int32_t>(static_cast<std::uint32_t>(add.params.multiplier_b) << 16 |
                                      static_cast<std::uint32_t>(add.params.multiplier_a)))),
        offset_(_mm256_set1_epi32(add.params.offset + (1 << (add.params.shift - 1)))),
        shift_(_mm_cvtsi32_si128(add.params.shift)),
        zero_point_(_mm256_set1_epi16(static_cast<std::int16_t>(add.zero_point))),
        low_(_mm256_set1_epi8(static_cast<char>(add.clamp_min))),
        high_(_mm256_set1_epi8(static_cast<char>(add.clamp_max))) {}

  __m256i operator()(__m256i a, __m256i b) const {
    const __m256i words[2] = {half(_mm256_unpacklo_epi8(a, b)), half(_mm256_unpackhi_epi8(a, b))};
    return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(words[0], words[1]), low_), high_);
  }

 private:
  __m256i half(__m256i pairs) const {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i words = _mm256_packs_epi32(sum(_mm256_unpacklo_epi8(pairs, zero)),
                                             sum(_mm256_unpackhi_epi8(pairs, zero)));
    return _mm256_adds_epi16(words, zero_point_);
  }
  __m256i sum(__m256i pairs) const {
    return _mm256_sra_epi32(_mm256_add_epi32(_mm256_madd_epi16(pairs, factors_), offset_), shift_);
  }

  const __m256i factors_, offset_;
  const __m128i shift_;
  const __m256i zero_point_, low_, high_;
};

inline __m128i load_codes(const std::uint8_t* from, std::int64_t columns) {
  if (columns == 16) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  alignas(16) std::uint8_t all[16] = {};
  for (std::int64_t j = 0; j < columns; ++j) all[j] = from[j];
  return _mm_load_si128(reinterpret_cast<const __m128i*>(all));
}

// `count` bytes by two moves of kBytes, which overlap.
template <int kBytes>
inline void copy_overlapping(std::uint8_t* to, const std::uint8_t* from, std::int64_t count) {
  __builtin_memcpy(to, from, kBytes);
  __builtin_memcpy(to + count - kBytes, from + count - kBytes, kBytes);
}

inline void store_codes(std::uint8_t* to, __m128i codes, std::int64_t columns) {
  if (columns == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), codes);
    return;
  }
  alignas(16) std::uint8_t all[16];
  _mm_store_si128(reinterpret_cast<__m128i*>(all), codes);
  if (columns >= 8) {
    copy_overlapping<8>(to, all, columns);
  } else if (columns >= 4) {
    copy_overlapping<4>(to, all, columns);
  } else {
    for (std::int64_t j = 0; j < columns; ++j) to[j] = all[j];
  }
}

template <bool kSmall, int Rows, class At>
[[gnu::always_inline]] inline void store_codes(std::uint8_t* c, const __m256i (&acc)[Rows][2],
                                               const Epilogue& e, std::int64_t column,
                                               std::int64_t columns, const At& at) {
  const Epilogue16<kSmall> epilogue(e, column);
  const std::uint8_t* residual = e.residual.codes;
  const ResidualAdd add(e.residual);
#pragma GCC unroll 8
  for (int r = 0; r < Rows; r += 2) {
    const int second = r + 1 < Rows ? r + 1 : r;
    const std::ptrdiff_t to = at(r), to_second = at(second);
    __m256i codes = epilogue.requantize(acc[r], acc[second]);
    if (residual != nullptr) {
      const __m256i b =
          _mm256_inserti128_si256(_mm256_castsi128_si256(load_codes(residual + to, columns)),
                                  load_codes(residual + to_second, columns), 1);
      codes = add(codes, as_packed(b));
    }
    codes = rows_in_order(codes);
    store_codes(c + to, _mm256_castsi256_si128(codes), columns);
    if (second != r) store_codes(c + to_second, _mm256_extracti128_si256(codes, 1), columns);
  }
}

// Requantizes and stores the first `columns` of 16 columns of Rows rows. Row r goes to c + at(r).
template <int Rows, class At>
[[gnu::always_inline]] inline void store_rows(std::uint8_t* c, const __m256i (&acc)[Rows][2],
                                              const Epilogue& e, std::int64_t column,
                                              std::int64_t columns, const At& at) {
  if (e.small_multipliers) {
    store_codes<true, Rows>(c, acc, e, column, columns, at);
  } else {
    store_codes<false, Rows>(c, acc, e, column, columns, at);
  }
}

// The accumulators themselves.
template <int Rows, class At>
[[gnu::always_inline]] inline void store_rows(std::int32_t* c, const __m256i (&acc)[Rows][2],
                                              const Epilogue&, std::int64_t, std::int64_t columns,
                                              const At& at) {
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    std::int32_t* to = c + at(r);
    if (columns == 16) {
#pragma GCC unroll 8
      for (int v = 0; v < 2; ++v) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 8 * v), acc[r][v]);
      }
      continue;
    }
    alignas(32) std::int32_t all[16];
#pragma GCC unroll 8
    for (int v = 0; v < 2; ++v) {
      _mm256_store_si256(reinterpret_cast<__m256i*>(all + 8 * v), acc[r][v]);
    }
    for (std::int64_t j = 0; j < columns; ++j) to[j] = all[j];
  }
}

// Row i of what is left are the largest accumulators of the rows that pooling makes one.
template <Pool kPool, int Rows>
[[gnu::always_inline]] inline void pool_rows(const __m256i (&acc)[Rows][2],
                                             __m256i (&pooled)[Rows / rows_of(kPool)][2]) {
  constexpr int kGroup = rows_of(kPool);
#pragma GCC unroll 8
  for (int i = 0; i < Rows / kGroup; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < 2; ++v) {
      pooled[i][v] = acc[kGroup * i][v];
#pragma GCC unroll 8
      for (int r = 1; r < kGroup; ++r) {
        pooled[i][v] = _mm256_max_epi32(pooled[i][v], acc[kGroup * i + r][v]);
      }
    }
    if (kPool == Pool::kFolded) pooled[i][0] = _mm256_max_epi32(pooled[i][0], pooled[i][1]);
  }
}

// What is done with a tile's accumulators in the end.
template <Pool kPool, int Rows, class C>
[[gnu::always_inline]] inline void store_tile(C* c, const __m256i (&acc)[Rows][2],
                                              const Tile& tile) {
  const auto at = [rows = tile.args.c_rows + tile.row / rows_of(kPool), first = tile.first](int r) {
    return rows[r] + first;
  };
  if constexpr (kPool == Pool::kNone) {
    store_rows<Rows>(c, acc, tile.args.epilogue, tile.first, tile.columns, at);
  } else {
    __m256i pooled[Rows / rows_of(kPool)][2];
    pool_rows<kPool>(acc, pooled);
    store_rows<Rows / rows_of(kPool)>(c, pooled, tile.args.epilogue, tile.first, tile.columns, at);
  }
}

}  // namespace
}  // namespace octet::kernels

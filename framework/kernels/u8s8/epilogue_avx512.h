#pragma once

#include <immintrin.h>

#include "kernels/u8s8/gemm_tiles.h"

// What the AVX-512 kernels do with the accumulators of a tile, [rows][kVectors] vectors of 16
// columns: 64 codes at a time, the columns of one row, or of two or four rows where a panel is
// narrower. Internal to the including file.

// Pins an accumulator to a register (gemm_tiles.h).
#ifndef OCTET_PIN  // the tests' emulation has nothing to pin
#define OCTET_PIN(vector) asm volatile("" : "+v"(vector))
#endif

namespace octet::kernels {
namespace {

inline __m512i load_16(const std::int32_t* p) { return _mm512_loadu_si512(p); }

// The odd elements, each in the place of the even one before it.
inline __m512i odd_to_even(__m512i x) {
  return _mm512_castps_si512(_mm512_movehdup_ps(_mm512_castsi512_ps(x)));
}

// The packs work within 128-bit lanes, so that four vectors of 16 columns come out as a 4 x 4
// matrix of dwords that is transposed. Its own inverse.
inline __m512i transpose_dwords(__m512i codes) {
  return _mm512_permutexvar_epi32(
      _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), codes);
}

// Limits of codes. Most layers', 0 and 255, are the limits of what saturates to bytes anyway.
class CodeClamp {
 public:
  CodeClamp(std::int32_t low, std::int32_t high)
      : none_(low == 0 && high == 255),
        low_(_mm512_set1_epi8(static_cast<char>(low))),
        high_(_mm512_set1_epi8(static_cast<char>(high))) {}

  __m512i operator()(__m512i codes) const {
    return none_ ? codes : _mm512_min_epu8(_mm512_max_epu8(codes, low_), high_);
  }

 private:
  const bool none_;
  const __m512i low_, high_;
};

// The left shift of eq. (9), after its clamp.
inline __m512i shifted(__m512i acc, __m512i shift) {
  const __mmask16 some = _mm512_test_epi32_mask(shift, shift);
  const __m512i limit = _mm512_srlv_epi32(_mm512_set1_epi32(1 << 30), shift);
  acc = _mm512_mask_min_epi32(acc, some, acc, limit);
  acc = _mm512_mask_max_epi32(acc, some, acc, _mm512_sub_epi32(_mm512_setzero_si512(), limit));
  return _mm512_sllv_epi32(acc, shift);
}

// The constants of 16 kVectors columns, and what is done with four vectors of them. Copies all:
// stores of bytes could change anything that is read through a pointer.
//   kSmall: Epilogue::small_multipliers
template <bool kSmall, int kVectors>
class Epilogue64 {
 public:
  Epilogue64(const Epilogue& e, std::int64_t column)
      : all_shifts_zero_(e.all_shifts_zero),
        has_zero_point_(e.zero_point != 0),
        zero_point_(_mm512_set1_epi16(static_cast<std::int16_t>(e.zero_point))),
        clamp_(e.clamp_min, e.clamp_max) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      factor_[v] = load_16(e.multiplier + column + 16 * v);
      if (kSmall) factor_[v] = _mm512_add_epi32(factor_[v], factor_[v]);
      odd_[v] = odd_to_even(factor_[v]);
      if (!kSmall) shift_[v] = load_16(e.shift + column + 16 * v);
    }
  }

  // Codes of four vectors, transposed.
  __m512i requantize(__m512i a, __m512i b, __m512i c, __m512i d) const {
    __m512i first = words<0>(a, b), second = words<2>(c, d);
    if (has_zero_point_) {
      first = _mm512_adds_epi16(first, zero_point_);
      second = _mm512_adds_epi16(second, zero_point_);
    }
    return clamp_(_mm512_packus_epi16(first, second));
  }

 private:
  // Saturated to 16 bits: what is cut off lies outside of all codes. With kSmall the rounding is
  // left to 16-bit arithmetic: (x + 2^31) >> 32 == ((2 x >> 32) + 1) >> 1, and (y + 1) >> 1 ==
  // (2^14 y + 2^14) >> 15, which is one instruction.
  template <int kFirst>
  __m512i words(__m512i a, __m512i b) const {
    const __m512i both =
        _mm512_packs_epi32(scaled(a, kFirst % kVectors), scaled(b, (kFirst + 1) % kVectors));
    return kSmall ? _mm512_mulhrs_epi16(both, _mm512_set1_epi16(1 << 14)) : both;
  }

  // eq. (9) without zero point; with kSmall twice that, not rounded. The high half of a 64-bit
  // product is the result; products of the odd columns are shifted down first.
  __m512i scaled(__m512i acc, int v) const {
    if (!kSmall && !all_shifts_zero_) acc = shifted(acc, shift_[v]);
    __m512i evens = _mm512_mul_epi32(acc, factor_[v]);
    __m512i odds = _mm512_mul_epi32(odd_to_even(acc), odd_[v]);
    if (!kSmall) {
      const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 31);
      evens = _mm512_add_epi64(evens, half);
      odds = _mm512_add_epi64(odds, half);
    }
    return _mm512_castps_si512(
        _mm512_mask_movehdup_ps(_mm512_castsi512_ps(odds), 0x5555, _mm512_castsi512_ps(evens)));
  }

  const bool all_shifts_zero_, has_zero_point_;
  __m512i factor_[kVectors], odd_[kVectors], shift_[kVectors];
  const __m512i zero_point_;
  const CodeClamp clamp_;
};

// eq. (12): a and b are interleaved to 16-bit pairs, so that offset + a Ma + b Mb is one
// instruction. The zero point comes with the offset: 2^shift times 255 is below 2^28.
class ResidualAdd {
 public:
  explicit ResidualAdd(const Residual& add)
      : factors_(_mm512_set1_epi32(
            static_cast<std::int32_t>(static_cast<std::uint32_t>(add.params.multiplier_b) << 16 |
                                      static_cast<std::uint32_t>(add.params.multiplier_a)))),
        offset_(_mm512_set1_epi32(add.params.offset + (1 << (add.params.shift - 1)) +
                                  (add.zero_point << add.params.shift))),
        shift_(_mm512_set1_epi32(add.params.shift)),
        clamp_(add.clamp_min, add.clamp_max) {}

  __m512i operator()(__m512i a, __m512i b) const {
    return clamp_(
        _mm512_packus_epi16(words(_mm512_unpacklo_epi8(a, b)), words(_mm512_unpackhi_epi8(a, b))));
  }

 private:
  __m512i words(__m512i pairs) const {
    const __m512i zero = _mm512_setzero_si512();
    return _mm512_packs_epi32(sum(_mm512_unpacklo_epi8(pairs, zero)),
                              sum(_mm512_unpackhi_epi8(pairs, zero)));
  }
  __m512i sum(__m512i pairs) const {
    return _mm512_srav_epi32(_mm512_dpwssd_epi32(offset_, pairs, factors_), shift_);
  }

  const __m512i factors_, offset_, shift_;
  const CodeClamp clamp_;
};

// The first `columns` codes of the 16 kVectors at `from`; the rest of the register is 0 or unused.
template <int kVectors>
inline __m512i load_codes(const std::uint8_t* from, std::int64_t columns) {
  const auto mask = columns >= 64 ? ~__mmask64{0} : (__mmask64{1} << columns) - 1;
  if (kVectors == 4) {
    return columns == 64 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8(mask, from);
  }
  if (kVectors == 2) {
    return _mm512_castsi256_si512(_mm256_maskz_loadu_epi8(static_cast<__mmask32>(mask), from));
  }
  return _mm512_castsi128_si512(_mm_maskz_loadu_epi8(static_cast<__mmask16>(mask), from));
}

// Stores the first `columns` codes of row `row` of a register's 4 / kVectors rows.
template <int kVectors>
inline void store_codes(std::uint8_t* to, __m512i codes, int row, std::int64_t columns) {
  const auto mask = columns >= 64 ? ~__mmask64{0} : (__mmask64{1} << columns) - 1;
  if (kVectors == 4) {
    if (columns == 64) {
      _mm512_storeu_si512(to, codes);
    } else {
      _mm512_mask_storeu_epi8(to, mask, codes);
    }
  } else if (kVectors == 2) {
    const __m256i half =
        row == 0 ? _mm512_castsi512_si256(codes) : _mm512_extracti64x4_epi64(codes, 1);
    _mm256_mask_storeu_epi8(to, static_cast<__mmask32>(mask), half);
  } else {
    const __m128i quarter = row == 0   ? _mm512_castsi512_si128(codes)
                            : row == 1 ? _mm512_extracti32x4_epi32(codes, 1)
                            : row == 2 ? _mm512_extracti32x4_epi32(codes, 2)
                                       : _mm512_extracti32x4_epi32(codes, 3);
    _mm_mask_storeu_epi8(to, static_cast<__mmask16>(mask), quarter);
  }
}

// What load_codes gave of 4 / kVectors rows, one behind the other.
template <int kVectors>
inline __m512i joined(const __m512i (&rows)[4 / kVectors]) {
  if constexpr (kVectors == 4) return rows[0];
  if constexpr (kVectors == 2) {
    return _mm512_inserti64x4(rows[0], _mm512_castsi512_si256(rows[1]), 1);
  }
  if constexpr (kVectors == 1) {
    const __m512i two = _mm512_inserti32x4(rows[0], _mm512_castsi512_si128(rows[1]), 1);
    const __m512i three = _mm512_inserti32x4(two, _mm512_castsi512_si128(rows[2]), 2);
    return _mm512_inserti32x4(three, _mm512_castsi512_si128(rows[3]), 3);
  }
}

// Requantizes the accumulators [rows][16 kVectors], behind which up to three more rows may be read,
// and stores the first `columns` codes of each row at c + c_rows[row].
template <bool kSmall, bool kAdd, int kVectors>
[[gnu::noinline]] void requantize_rows(std::uint8_t* c, const std::ptrdiff_t* c_rows,
                                       const std::int32_t* acc, int rows, const Epilogue& e,
                                       std::int64_t column, std::int64_t columns) {
  constexpr int kTogether = 4 / kVectors;
  const Epilogue64<kSmall, kVectors> epilogue(e, column);
  const std::uint8_t* residual = e.residual.codes;
  const ResidualAdd add(e.residual);
  c += column;
  if (kAdd) residual += column;
  for (int row = 0; row < rows; row += kTogether, acc += 64) {
    __m512i codes =
        epilogue.requantize(load_16(acc), load_16(acc + 16), load_16(acc + 32), load_16(acc + 48));
    const int count = rows - row < kTogether ? rows - row : kTogether;
    if (kAdd) {
      __m512i b[kTogether];
#pragma GCC unroll 4
      for (int i = 0; i < kTogether; ++i) {
        b[i] = i < count ? load_codes<kVectors>(residual + c_rows[row + i], columns) : codes;
      }
      codes = add(codes, transpose_dwords(joined<kVectors>(b)));
    }
    codes = transpose_dwords(codes);
#pragma GCC unroll 4
    for (int i = 0; i < kTogether; ++i) {
      if (i < count) store_codes<kVectors>(c + c_rows[row + i], codes, i, columns);
    }
  }
}

// The same of a whole panel, from registers.
template <bool kSmall, bool kAdd, int kRows, int Rows, int kVectors>
[[gnu::always_inline]] inline void requantize_tile(std::uint8_t* c, const std::ptrdiff_t* c_rows,
                                                   const __m512i (&acc)[Rows][kVectors],
                                                   const Epilogue& e, std::int64_t column) {
  const Epilogue64<kSmall, kVectors> epilogue(e, column);
  const ResidualAdd add(e.residual);
  const std::uint8_t* residual = e.residual.codes;
  c += column;
  if (kAdd) residual += column;
#pragma GCC unroll 12
  for (int r = 0; r < kRows; ++r) {
    __m512i codes = epilogue.requantize(acc[r][0], acc[r][1], acc[r][2], acc[r][3]);
    if (kAdd) codes = add(codes, transpose_dwords(_mm512_loadu_si512(residual + c_rows[r])));
    _mm512_storeu_si512(c + c_rows[r], transpose_dwords(codes));
  }
}

// Requantizes and stores the tile's first `columns` columns of kRows rows. The accumulators of what
// is not the usual case go through memory: as much code again would only be larger.
template <int kRows, int Rows, int kVectors>
[[gnu::always_inline]] inline void store_rows(std::uint8_t* c, const std::ptrdiff_t* c_rows,
                                              const __m512i (&acc)[Rows][kVectors],
                                              const Epilogue& e, std::int64_t column,
                                              std::int64_t columns) {
  const bool small = e.small_multipliers, add = e.residual.codes != nullptr;
  if constexpr (kVectors == 4) {
    if (columns == 64 && small) {
      asm volatile("" ::: "memory");  // the constants are not read before the loop over k
      if (add) {
        requantize_tile<true, true, kRows>(c, c_rows, acc, e, column);
      } else {
        requantize_tile<true, false, kRows>(c, c_rows, acc, e, column);
      }
      return;
    }
  }
  constexpr int kTogether = 4 / kVectors;
  alignas(64) std::int32_t sums[(kRows + kTogether - 1) / kTogether * 64];
#pragma GCC unroll 12
  for (int r = 0; r < (kRows + kTogether - 1) / kTogether * kTogether; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      _mm512_store_si512(sums + 16 * (r * kVectors + v), acc[r < kRows ? r : kRows - 1][v]);
    }
  }
  const auto requantize =
      small ? add ? requantize_rows<true, true, kVectors> : requantize_rows<true, false, kVectors>
      : add ? requantize_rows<false, true, kVectors>
            : requantize_rows<false, false, kVectors>;
  requantize(c, c_rows, sums, kRows, e, column, columns);
}

// The accumulators themselves.
template <int kRows, int Rows, int kVectors>
[[gnu::always_inline]] inline void store_rows(std::int32_t* c, const std::ptrdiff_t* c_rows,
                                              const __m512i (&acc)[Rows][kVectors], const Epilogue&,
                                              std::int64_t column, std::int64_t columns) {
  c += column;
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    const std::int64_t left = columns - 16 * v;
    if (left <= 0) return;
    const auto mask = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1 << left) - 1);
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r)
      _mm512_mask_storeu_epi32(c + c_rows[r] + 16 * v, mask, acc[r][v]);
  }
}

// Row i of acc becomes the largest of the rows that pooling makes one.
template <Pool kPool, int Rows, int kVectors>
[[gnu::always_inline]] inline void pool_rows(__m512i (&acc)[Rows][kVectors]) {
  constexpr int kGroup = rows_of(kPool);
  if constexpr (kPool == Pool::kNone) return;
#pragma GCC unroll 12
  for (int i = 0; i < Rows / kGroup; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      __m512i largest = acc[kGroup * i][v];
#pragma GCC unroll 8
      for (int r = 1; r < kGroup; ++r) {
        largest = _mm512_max_epi32(largest, acc[kGroup * i + r][v]);
      }
      if (kPool == Pool::kFolded) {  // columns 8 to 15 onto 0 to 7
        const __m512i upper = _mm512_castsi256_si512(_mm512_extracti64x4_epi64(largest, 1));
        largest = _mm512_max_epi32(largest, upper);
      }
      acc[i][v] = largest;
    }
  }
}

}  // namespace
}  // namespace octet::kernels

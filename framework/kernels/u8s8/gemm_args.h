#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/fixed_point.h"

// What the files of one instruction set may see of the contract in gemm.h: plain data.
namespace octet::kernels {

// A residual add behind the requantization, eq. (12): what is stored is
//   add_one(code, codes[...], params, zero_point, clamp_min, clamp_max)
// with the code that would have been stored as `a` and the codes at the same place as `b`.
struct Residual {
  const std::uint8_t* codes = nullptr;  // laid out as c is; null: there is none
  AddParams params;
  std::int32_t zero_point = 0, clamp_min = 0, clamp_max = 255;
};

// What is done with the accumulators. Arrays have one element per output channel, padded with zeros
// to a multiple of the kernel's nr. What zero points add is already in bias (gemm.h).
struct Epilogue {
  const std::int32_t* bias = nullptr;
  const std::int32_t* multiplier = nullptr;
  const std::int32_t* shift = nullptr;
  // What lets a kernel take a faster epilogue; false is always right.
  bool all_shifts_zero = false;
  bool small_multipliers = false;  // and besides all below 2^30
  std::int32_t zero_point = 0;  // this and the clamps are codes: 0 <= clamp_min <= clamp_max <= 255
  std::int32_t clamp_min = 0;
  std::int32_t clamp_max = 255;
  Residual residual;
};

// 2x2 max pooling in front of the requantization, which is monotone: a row of c is the largest of
// several rows' accumulators, column by column.
enum class Pool {
  kNone,
  kRows4,   // rows 4 i .. 4 i + 3 are row i of c
  kFolded,  // rows 2 i and 2 i + 1 are, and of each both columns j and j + 8: n <= 8, and bias has
            // 16 elements
};
constexpr int rows_of(Pool pool) {  // that are one row of c
  return pool == Pool::kRows4 ? 4 : pool == Pool::kFolded ? 2 : 1;
}

// `count` >= 1 consecutive activations of a row that meet consecutive weights.
struct TapRun {
  std::int64_t source = 0;  // the first activation, in bytes from the row's anchor
  std::int64_t weight = 0;  // its k in the packed panel, a multiple of kr
  std::int64_t count = 0;
};

// m rows that have one list of runs in common. The activations of row i are
// a[a_rows[i] + run.source + (0 .. run.count)], and no other byte is read (a run may end at the end
// of a page) but with `tails_readable`. Row i of c is c[c_rows[i] + (0 .. n)]; nothing else is
// written. a and c do not overlap; the residual's codes may be c. m, n >= 1. With pooling c_rows
// and c have m / rows_of(pool) rows.
struct GemmArgs {
  std::int64_t m = 0, n = 0;
  Pool pool = Pool::kNone;  // m is a multiple of its rows; then there is no residual
  const std::uint8_t* a = nullptr;
  // Or, for kernels with copied_bytes 2, the activations widened already, when `a` is null: offsets
  // and sources count them, and one more behind a run may be read.
  const std::int16_t* wide_a = nullptr;
  const std::ptrdiff_t* a_rows = nullptr;
  bool tails_readable =
      false;  // up to three bytes behind each run may be read: their weights are 0
  const TapRun* runs = nullptr;
  std::int64_t run_count = 0;      // 0: the accumulators are the bias
  const void* packed_w = nullptr;  // from pack_weights, aligned to 64 bytes
  std::int64_t panel_k = 0;        // of the packed weights (PackedK)
  // What the caller's next call begins with, as large as a panel: a kernel may fetch it into the
  // cache beside its own work. Null: nothing is known.
  const void* next_w = nullptr;
  const std::ptrdiff_t* c_rows = nullptr;
  std::byte* scratch = nullptr;  // gemm_scratch_bytes, aligned to 64 bytes
  Epilogue epilogue;
};

using GemmU8Function = void (*)(const GemmArgs&, std::uint8_t* c);
// Stores the accumulators themselves (bias added); nothing else of the epilogue is read. c_rows
// counts elements. Without pooling.
using GemmS32Function = void (*)(const GemmArgs&, std::int32_t* c);

// The entry points of every kernel in kernels.inc: both of the product, and depthwise.h's.
#define OCTET_GEMM_KERNEL(NAME, DEPTHWISE, ISA, ...) \
  void NAME(const GemmArgs& args, std::uint8_t* c);  \
  void NAME(const GemmArgs& args, std::int32_t* c);  \
  void DEPTHWISE(const GemmArgs& args, std::uint8_t* c);
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL

}  // namespace octet::kernels

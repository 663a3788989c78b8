#include <algorithm>

#include "kernels/fixed_point.h"
#include "kernels/u8s8/gemm_args.h"

// The reference: the contract of gemm.h word for word. Weights are packed as they were, [n][k].
namespace octet::kernels {
namespace {

std::int32_t accumulate(const GemmArgs& args, std::int64_t i, std::int64_t j) {
  const std::uint8_t* a = args.a + args.a_rows[i];
  const auto* w = static_cast<const std::int8_t*>(args.packed_w) + j * args.panel_k;
  std::int32_t acc = args.epilogue.bias[j];
  for (std::int64_t q = 0; q < args.run_count; ++q) {
    const TapRun run = args.runs[q];
    for (std::int64_t p = 0; p < run.count; ++p) acc += a[run.source + p] * w[run.weight + p];
  }
  return acc;
}

// Of the row i of c, before the requantization.
std::int32_t pooled(const GemmArgs& args, std::int64_t i, std::int64_t j) {
  const int rows = rows_of(args.pool);
  std::int32_t largest = accumulate(args, i * rows, j);
  for (std::int64_t r = i * rows; r < (i + 1) * rows; ++r) {
    largest = std::max(largest, accumulate(args, r, j));
    if (args.pool == Pool::kFolded) largest = std::max(largest, accumulate(args, r, j + 8));
  }
  return largest;
}

}  // namespace

void u8s8_gemm_1x1_scalar(const GemmArgs& args, std::uint8_t* c) {
  const Epilogue& e = args.epilogue;
  const Residual& add = e.residual;
  for (std::int64_t i = 0; i < args.m / rows_of(args.pool); ++i) {
    const std::ptrdiff_t row = args.c_rows[i];
    for (std::int64_t j = 0; j < args.n; ++j) {
      const Requant requant{e.multiplier[j], e.shift[j]};
      std::int32_t code =
          requantize_one(pooled(args, i, j), requant, e.zero_point, e.clamp_min, e.clamp_max);
      if (add.codes != nullptr) {
        code = add_one(code, add.codes[row + j], add.params, add.zero_point, add.clamp_min,
                       add.clamp_max);
      }
      c[row + j] = static_cast<std::uint8_t>(code);
    }
  }
}

void u8s8_gemm_1x1_scalar(const GemmArgs& args, std::int32_t* c) {
  for (std::int64_t i = 0; i < args.m; ++i) {
    for (std::int64_t j = 0; j < args.n; ++j) c[args.c_rows[i] + j] = accumulate(args, i, j);
  }
}

}  // namespace octet::kernels

#include "kernels/fixed_point.h"
#include "kernels/u8s8/gemm_args.h"

// The reference: the contract of gemm.h word for word. Weights are packed as they were, [n][k].
namespace octet::kernels {
namespace {

std::int32_t accumulate(const GemmArgs& args, std::int64_t i, std::int64_t j) {
  const std::uint8_t* a = args.a + i * args.a_stride;
  const auto* w = static_cast<const std::int8_t*>(args.packed_w) + j * args.k;
  std::int32_t acc = args.epilogue.bias[j];
  for (std::int64_t p = 0; p < args.k; ++p) acc += a[p] * w[p];
  return acc;
}

}  // namespace

void u8s8_gemm_1x1_scalar(const GemmArgs& args, std::uint8_t* c, std::ptrdiff_t c_stride) {
  const Epilogue& e = args.epilogue;
  for (std::int64_t i = 0; i < args.m; ++i) {
    for (std::int64_t j = 0; j < args.n; ++j) {
      const Requant requant{e.multiplier[j], e.shift[j]};
      c[i * c_stride + j] = static_cast<std::uint8_t>(
          requantize_one(accumulate(args, i, j), requant, e.zero_point, e.clamp_min, e.clamp_max));
    }
  }
}

void u8s8_gemm_1x1_scalar(const GemmArgs& args, std::int32_t* c, std::ptrdiff_t c_stride) {
  for (std::int64_t i = 0; i < args.m; ++i) {
    for (std::int64_t j = 0; j < args.n; ++j) c[i * c_stride + j] = accumulate(args, i, j);
  }
}

}  // namespace octet::kernels

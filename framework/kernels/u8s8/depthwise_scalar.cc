#include <algorithm>

#include "kernels/fixed_point.h"
#include "kernels/u8s8/gemm_args.h"

// The reference: the contract of depthwise.h word for word, with one tap in a group.
namespace octet::kernels {
namespace {

// Channels at a time: their accumulators stay in the nearest cache, and whole blocks have a length
// that the compiler knows.
constexpr std::int64_t kChannels = 64;

void accumulate(const std::uint8_t* __restrict a, const std::int8_t* __restrict w,
                std::int64_t count, std::int32_t* __restrict acc) {
  if (count == kChannels) {
    for (std::int64_t j = 0; j < kChannels; ++j) acc[j] += a[j] * w[j];
  } else {
    for (std::int64_t j = 0; j < count; ++j) acc[j] += a[j] * w[j];
  }
}

// Channels [first, first + count) of a row.
void store(const std::int32_t* acc, const Epilogue& e, std::int64_t first, std::int64_t count,
           const std::uint8_t* residual, std::uint8_t* c) {
  std::int32_t codes[kChannels];
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t channel = first + j;
    codes[j] = requantize_one(acc[j], {e.multiplier[channel], e.shift[channel]}, e.zero_point,
                              e.clamp_min, e.clamp_max);
  }
  if (residual != nullptr) {
    const Residual& add = e.residual;
    for (std::int64_t j = 0; j < count; ++j) {
      codes[j] =
          add_one(codes[j], residual[j], add.params, add.zero_point, add.clamp_min, add.clamp_max);
    }
  }
  for (std::int64_t j = 0; j < count; ++j) c[j] = static_cast<std::uint8_t>(codes[j]);
}

}  // namespace

void u8s8_depthwise_1x64_scalar(const GemmArgs& args, std::uint8_t* c) {
  const Epilogue e = args.epilogue;
  const auto* weights = static_cast<const std::int8_t*>(args.packed_w);
  for (std::int64_t i = 0; i < args.m; ++i) {
    const std::uint8_t* row = args.a + args.a_rows[i];
    for (std::int64_t first = 0; first < args.n; first += kChannels) {
      const std::int64_t count = std::min(kChannels, args.n - first);
      std::int32_t acc[kChannels];
      std::copy_n(e.bias + first, count, acc);
      for (std::int64_t q = 0; q < args.run_count; ++q) {
        accumulate(row + args.runs[q].source + first,
                   weights + args.runs[q].weight * args.panel_k + first, count, acc);
      }
      const std::int64_t at = args.c_rows[i] + first;
      const std::uint8_t* residual = e.residual.codes == nullptr ? nullptr : e.residual.codes + at;
      store(acc, e, first, count, residual, c + at);
    }
  }
}

}  // namespace octet::kernels

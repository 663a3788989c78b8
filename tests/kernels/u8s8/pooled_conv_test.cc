#include "kernels/u8s8/pooled_conv.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/guarded_buffer.h"
#include "tests/kernels/u8s8/gemm_problem.h"

// Every kernel of one_channel.h against convolution, requantization and then the pool, ==. A case
// is a function of its index alone.
namespace octet::kernels {
namespace {

using testing::FaultReport;
using testing::Guard;
using testing::GuardedBuffer;

struct PooledConv {
  Problem p;  // its n, weights and epilogue; `a` is the image
  std::int64_t channels = 1, rows = 1, pixels = 1, kernel_h = 1, kernel_w = 1, width = 1;
  std::int64_t height() const { return 2 * rows + kernel_h - 1; }
  std::int64_t line() const { return width * channels; }
};

PooledConv random_case(std::int64_t index, std::int64_t channels, std::int64_t most_outputs) {
  Rng rng(kSeed, RngPurpose::kTest, 6, static_cast<std::uint32_t>(index));
  PooledConv t;
  Problem& p = t.p;
  p.index = index;
  t.channels = channels == 0 ? pick<std::int64_t>(rng, {1, 2, 3, 4, 6, 17}) : channels;
  p.n = 1 + index % most_outputs;
  t.kernel_h = pick<std::int64_t>(rng, {1, 2, 3, 5, 5, 7});
  t.kernel_w = pick<std::int64_t>(rng, {1, 2, 3, 4, 5, 5, 8, 9});
  t.rows = uniform(rng, 1, 4);
  t.pixels = uniform(rng, 1, 19);
  t.width = 2 * t.pixels + t.kernel_w - 1 + uniform(rng, 0, 3);  // the pool may leave some out
  p.k = t.kernel_h * t.kernel_w * t.channels;
  p.codes = pick<Codes>(rng, {Codes::kRandom, Codes::kRandom, Codes::kAll255});
  p.weights = pick<Weights>(rng, {Weights::kRandom, Weights::kRandom, Weights::kSmall,
                                  Weights::kAllMinus128, Weights::kAll127, Weights::kExtremes});
  p.guard = pick<Guard>(rng, {Guard::kAfter, Guard::kBefore});
  p.max_shift = pick<int>(rng, {0, 0, 1, 8, 30});
  p.zero_point = pick<std::int32_t>(rng, {0, 0, 255, 128, 7});
  p.clamp_min = pick<std::int32_t>(rng, {0, 0, p.zero_point, 3});
  p.clamp_max = std::max(p.clamp_min, pick<std::int32_t>(rng, {255, 255, 200, 6, 0}));
  fill_operands(p, rng);
  p.a.resize(static_cast<std::size_t>(t.height() * t.line()));
  for (auto& code : p.a) {
    code = p.codes == Codes::kAll255 ? std::uint8_t{255} : static_cast<std::uint8_t>(rng.next());
  }
  fill_epilogue(p, rng);
  return t;
}

std::uint8_t code_at(const PooledConv& t, std::int64_t y, std::int64_t x, std::int64_t j) {
  const Problem& p = t.p;
  const auto channel = static_cast<std::size_t>(j);
  const std::int64_t row = t.kernel_w * t.channels;
  std::int64_t acc = p.bias[channel];
  for (std::int64_t k = 0; k < p.k; ++k) {
    acc += p.a[static_cast<std::size_t>((y + k / row) * t.line() + x * t.channels + k % row)] *
           p.w[static_cast<std::size_t>(j * p.k + k)];
  }
  OCTET_CHECK(acc == static_cast<std::int32_t>(acc), "the test breaks the contract");
  return static_cast<std::uint8_t>(requantize_one(static_cast<std::int32_t>(acc),
                                                  {p.multiplier[channel], p.shift[channel]},
                                                  p.zero_point, p.clamp_min, p.clamp_max));
}

std::vector<std::uint8_t> expected(const PooledConv& t) {
  std::vector<std::uint8_t> codes;
  for (std::int64_t i = 0; i < t.rows; ++i) {
    for (std::int64_t pixel = 0; pixel < t.pixels; ++pixel) {
      for (std::int64_t j = 0; j < t.p.n; ++j) {
        std::uint8_t largest = 0;
        for (std::int64_t at = 0; at < 4; ++at) {
          largest = std::max(largest, code_at(t, 2 * i + at / 2, 2 * pixel + at % 2, j));
        }
        codes.push_back(largest);
      }
    }
  }
  return codes;
}

// Says what is wrong; "" if nothing is.
std::string run(const PooledConvKernel& kernel, const PooledConv& t) {
  const Problem& p = t.p;
  const std::string what =
      message(kernel.name, " case ", p.index, " n=", p.n, " kernel=", t.kernel_h, "x", t.kernel_w,
              " channels=", t.channels, " rows=", t.rows, " pixels=", t.pixels, " width=", t.width,
              " max_shift=", p.max_shift, " zero_point=", p.zero_point, " clamps=", p.clamp_min,
              "..", p.clamp_max);
  const FaultReport report("touched a guard page: " + what);
  constexpr auto kBehind = static_cast<std::size_t>(PooledConvArgs::kBytesBehind);
  const std::size_t bytes = packed_pooled_conv_bytes(kernel, t.kernel_h, t.kernel_w * t.channels);
  GuardedBuffer<std::byte> packed((bytes + 63) / 64 * 64, p.guard);
  pack_pooled_conv(kernel, p.w.data(), p.n, t.kernel_h, t.kernel_w * t.channels, packed.data());
  GuardedBuffer<std::uint8_t> a(p.a.size() + kBehind, p.guard);
  std::fill(std::copy(p.a.begin(), p.a.end(), a.begin()), a.end(), std::uint8_t{0xA5});
  const auto padded = [&](const std::vector<std::int32_t>& values) {
    GuardedBuffer<std::int32_t> buffer(16, p.guard);
    std::fill(std::copy(values.begin(), values.end(), buffer.begin()), buffer.end(), 0);
    return buffer;
  };
  const auto bias = padded(p.bias), multiplier = padded(p.multiplier), shift = padded(p.shift);

  PooledConvArgs args;
  args.a = a.data();
  args.line = t.line();
  args.channels = t.channels;
  args.rows = t.rows;
  args.pixels = t.pixels;
  args.n = p.n;
  args.kernel_h = t.kernel_h;
  args.kernel_w = t.kernel_w;
  args.packed_w = packed.data();
  Epilogue& e = args.epilogue;
  e.bias = bias.data();
  e.multiplier = multiplier.data();
  e.shift = shift.data();
  e.all_shifts_zero = std::all_of(p.shift.begin(), p.shift.end(), [](int s) { return s == 0; });
  e.small_multipliers = e.all_shifts_zero && std::all_of(p.multiplier.begin(), p.multiplier.end(),
                                                         [](int m) { return m < 1 << 30; });
  e.zero_point = p.zero_point;
  e.clamp_min = p.clamp_min;
  e.clamp_max = p.clamp_max;

  const std::vector<std::uint8_t> want = expected(t);
  GuardedBuffer<std::uint8_t> c(want.size(), p.guard);
  kernel.run(args, c.data());
  for (std::size_t x = 0; x < want.size(); ++x) {
    if (c[x] != want[x]) {
      return message("c[", x, "] is ", +c[x], ", expected ", +want[x], " in ", what);
    }
  }
  return "";
}

void test_random_cases(const PooledConvKernel& kernel) {
  std::int64_t codes_inside = 0;
  for (std::int64_t index = 0; index < 600; ++index) {
    const PooledConv t = random_case(index, kernel.channels, kernel.outputs);
    REQUIRE(run(kernel, t) == "");
    for (const int code : expected(t)) codes_inside += code > 0 && code < 255;
  }
  CHECK(codes_inside > 5000);  // not everything was clamped
}

// Most instruction sets have no such kernel: then this is all that is to check.
void test_instruction_set(Isa isa) {
  const PooledConvKernel* any = find_pooled_conv(isa, 3, 1);
  const PooledConvKernel* one_channel = find_pooled_conv(isa, 1, 1);
  if ((any != nullptr || one_channel != nullptr) && !cpu_supports(isa)) {
    return testing::skip(message("this CPU lacks ", name_of(isa)));
  }
  CHECK(find_pooled_conv(isa, 3, 17) == nullptr);
  if (any != nullptr) test_random_cases(*any);
  if (one_channel != any) test_random_cases(*one_channel);
}

#define OCTET_GEMM_KERNEL(NAME, DEPTHWISE, ISA, ...)                                      \
  TEST_CASE("pooled convolution: " #ISA " equals convolution, requantization and pool") { \
    test_instruction_set(Isa::ISA);                                                       \
  }
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL

}  // namespace
}  // namespace octet::kernels

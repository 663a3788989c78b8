#include "kernels/u8s8/depthwise.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/guarded_buffer.h"
#include "tests/kernels/u8s8/gemm_problem.h"

// Every depthwise kernel of kernels.inc against the definition in depthwise.h, ==. A case is a
// function of its index alone.
namespace octet::kernels {
namespace {

using testing::FaultReport;
using testing::Guard;
using testing::GuardedBuffer;

// A depthwise convolution of an image without a border, [h, w, n]; some taps are not in the list.
struct Depthwise {
  Problem p;  // its rows are output pixels, its k the taps; `a` is the image
  std::int64_t h = 1, w = 1, kernel = 1, stride = 1;
  std::vector<std::ptrdiff_t> a_rows;

  std::int64_t source(std::int64_t tap) const { return (tap / kernel * w + tap % kernel) * p.n; }
  bool listed(std::int64_t tap) const { return (p.absent >> (tap % 32) & 1) == 0; }
};

void fill(Depthwise& d, Rng& rng) {
  Problem& p = d.p;
  p.k = d.kernel * d.kernel;
  for (std::int64_t y = 0; y + d.kernel <= d.h; y += d.stride) {
    for (std::int64_t x = 0; x + d.kernel <= d.w; x += d.stride) {
      d.a_rows.push_back((y * d.w + x) * p.n);
    }
  }
  fill_operands(p, rng);
  p.a.resize(static_cast<std::size_t>(d.h * d.w * p.n));
  for (auto& code : p.a) {
    code = p.codes == Codes::kAll255 ? std::uint8_t{255} : static_cast<std::uint8_t>(rng.next());
  }
  p.m = static_cast<std::int64_t>(d.a_rows.size());
  fill_epilogue(p, rng);
}

Depthwise random_depthwise(std::int64_t index) {
  Rng rng(kSeed, RngPurpose::kTest, 5, static_cast<std::uint32_t>(index));
  Depthwise d;
  Problem& p = d.p;
  p.index = index;
  p.n = 1 + index % 130;  // every number of channels
  d.kernel = pick<std::int64_t>(rng, {1, 2, 3, 3, 3, 4, 5, 5, 7});
  d.stride = uniform(rng, 1, 2);
  d.h = d.kernel + uniform(rng, 0, 4);
  d.w = d.kernel + uniform(rng, 0, 8);
  p.absent = rng.below(2) == 0 ? 0 : rng.below(8) == 0 ? ~0u : rng.next();
  p.c_gap = pick<std::int64_t>(rng, {0, 0, 1, 5, 64});
  p.codes = pick<Codes>(rng, {Codes::kRandom, Codes::kRandom, Codes::kAll255});
  p.weights = pick<Weights>(rng, {Weights::kRandom, Weights::kRandom, Weights::kSmall,
                                  Weights::kAllMinus128, Weights::kAll127, Weights::kExtremes});
  p.guard = pick<Guard>(rng, {Guard::kAfter, Guard::kBefore});
  p.max_shift = pick<int>(rng, {0, 0, 1, 8, 30});
  p.zero_point = pick<std::int32_t>(rng, {0, 0, 255, 128, 7});
  p.clamp_min = pick<std::int32_t>(rng, {0, 0, p.zero_point, 3});
  p.clamp_max = std::max(p.clamp_min, pick<std::int32_t>(rng, {255, 255, 200, 6, 0}));
  fill(d, rng);
  if (rng.below(3) == 0) {  // within the fast epilogue
    for (auto& shift : p.shift) shift = 0;
    for (auto& multiplier : p.multiplier) multiplier %= 1 << 30;
  }
  if (rng.below(2) == 0) fill_residual(p, rng);
  return d;
}

std::vector<std::int32_t> sums(const Depthwise& d) {
  std::vector<std::int32_t> result;
  for (const std::ptrdiff_t row : d.a_rows) {
    for (std::int64_t j = 0; j < d.p.n; ++j) {
      std::int64_t acc = d.p.bias[static_cast<std::size_t>(j)];
      for (std::int64_t t = 0; t < d.p.k; ++t) {
        if (!d.listed(t)) continue;
        acc += d.p.a[static_cast<std::size_t>(row + d.source(t) + j)] *
               d.p.w[static_cast<std::size_t>(j * d.p.k + t)];
      }
      OCTET_CHECK(acc == static_cast<std::int32_t>(acc), "the test breaks the contract");
      result.push_back(static_cast<std::int32_t>(acc));
    }
  }
  return result;
}

// The list of taps in groups of kr. Behind the last tap is one that is in the list or not, which
// does not matter. The source of one that is not would be a fault.
std::vector<TapRun> groups_of(const Depthwise& d, std::int64_t kr) {
  std::vector<TapRun> runs;
  for (std::int64_t first = 0; first < d.p.k; first += kr) {
    std::vector<TapRun> group;
    bool any = false;
    for (std::int64_t t = first; t < first + kr; ++t) {
      if (t >= d.p.k) {
        group.push_back({0, first / kr, d.p.index % 2});
      } else if (d.listed(t)) {
        group.push_back({d.source(t), first / kr, 1});
        any = true;
      } else {
        group.push_back({std::int64_t{1} << 40, first / kr, 0});
      }
    }
    if (any) runs.insert(runs.end(), group.begin(), group.end());
  }
  return runs;
}

GuardedBuffer<std::int32_t> padded(const std::vector<std::int32_t>& values, std::int64_t size) {
  GuardedBuffer<std::int32_t> buffer(static_cast<std::size_t>(size), Guard::kAfter);
  std::copy(values.begin(), values.end(), buffer.begin());
  return buffer;
}

// Says what is wrong; "" if nothing is.
std::string run(const GemmKernel& kernel, const Depthwise& d) {
  const Problem& p = d.p;
  const std::string what =
      message(kernel.depthwise_name, " case ", p.index, " image=", d.h, "x", d.w, " n=", p.n,
              " kernel=", d.kernel, " stride=", d.stride, " absent=", p.absent, " add=", p.add,
              " max_shift=", p.max_shift, " zero_point=", p.zero_point, " clamps=", p.clamp_min,
              "..", p.clamp_max);
  const FaultReport report("touched a guard page: " + what);
  GuardedBuffer<std::byte> packed((packed_depthwise_bytes(kernel, p.n, p.k) + 63) / 64 * 64,
                                  p.guard);
  pack_depthwise(kernel, p.w.data(), p.n, p.k, packed.data());
  GuardedBuffer<std::uint8_t> a(p.a.size(), p.guard);
  std::copy(p.a.begin(), p.a.end(), a.begin());

  const std::int64_t n_padded = (p.n + kernel.nr - 1) / kernel.nr * kernel.nr;
  auto bias = padded(p.bias, n_padded);
  for (std::int64_t j = 0; j < p.n; ++j) {  // what the offset takes away, modulo 2^32
    std::uint32_t sum = 0;
    for (std::int64_t t = 0; t < p.k; ++t) {
      if (d.listed(t))
        sum += static_cast<std::uint32_t>(p.w[static_cast<std::size_t>(j * p.k + t)]);
    }
    auto& to = bias[static_cast<std::size_t>(j)];
    to = static_cast<std::int32_t>(static_cast<std::uint32_t>(to) +
                                   static_cast<std::uint32_t>(kernel.activation_offset) * sum);
  }
  const auto multiplier = padded(p.multiplier, n_padded), shift = padded(p.shift, n_padded);
  const std::vector<TapRun> runs = groups_of(d, kernel.kr);
  const std::int64_t stride = p.n + p.c_gap;
  std::vector<std::ptrdiff_t> c_rows;
  for (std::int64_t i = 0; i < p.m; ++i) c_rows.push_back(i * stride);

  GemmArgs args;
  args.m = p.m;
  args.n = p.n;
  args.a = a.data();
  args.a_rows = d.a_rows.data();
  args.runs = runs.data();
  args.run_count = static_cast<std::int64_t>(runs.size());
  args.packed_w = packed.data();
  args.panel_k = n_padded;
  args.c_rows = c_rows.data();
  Epilogue& e = args.epilogue;
  e = constants_of(p);
  e.bias = bias.data();
  e.multiplier = multiplier.data();
  e.shift = shift.data();

  // The residual is in a buffer of its own, then in c itself; between rows nothing may change.
  const auto size = static_cast<std::size_t>((p.m - 1) * stride + p.n);
  std::vector<std::uint8_t> before(size, 0x5A);
  for (std::int64_t i = 0; p.add && i < p.m; ++i) {
    std::copy_n(p.b.begin() + i * p.n, p.n, before.begin() + i * stride);
  }
  std::vector<std::uint8_t> want = before;
  const std::vector<std::uint8_t> codes = codes_of(p, sums(d));
  for (std::int64_t i = 0; i < p.m; ++i) {
    std::copy_n(codes.begin() + i * p.n, p.n, want.begin() + i * stride);
  }
  GuardedBuffer<std::uint8_t> b(size, p.guard), c(size, p.guard);
  std::copy(before.begin(), before.end(), b.begin());
  for (const bool in_place : {false, true}) {
    if (in_place && !p.add) break;
    std::copy(before.begin(), before.end(), c.begin());
    if (p.add) {
      e.residual = p.residual;
      e.residual.codes = in_place ? c.data() : b.data();
    }
    kernel.depthwise_u8(args, c.data());
    for (std::size_t x = 0; x < size; ++x) {
      if (c[x] != want[x]) {
        return message("c[", x, "] is ", +c[x], ", expected ", +want[x], " in ", what);
      }
    }
  }
  return "";
}

void test_random_shapes(const GemmKernel& kernel) {
  std::int64_t codes_inside = 0;
  for (std::int64_t index = 0; index < 520; ++index) {
    const Depthwise d = random_depthwise(index);
    REQUIRE(run(kernel, d) == "");
    for (const int code : codes_of(d.p, sums(d))) codes_inside += code > 0 && code < 255;
  }
  CHECK(codes_inside > 10000);  // not everything was clamped
}

}  // namespace

#define OCTET_GEMM_KERNEL(NAME, DEPTHWISE, ISA, ...)                              \
  TEST_CASE("depthwise: " #DEPTHWISE " equals the definition on random shapes") { \
    test_kernel(test_random_shapes, select_gemm(Isa::ISA));                       \
  }
#include "kernels/u8s8/kernels.inc"
#undef OCTET_GEMM_KERNEL

TEST_CASE("pack_depthwise: groups of kr taps, channels in the order of lanes, zeros in the tails") {
  const std::vector<std::int8_t> w = {1, 2, 3, 4, -5, -6};  // [2, 3]
  const GemmKernel kernel{"", "test", Isa::kScalar, 1, 4, 2, 0, 0, nullptr, nullptr, nullptr};
  REQUIRE(packed_depthwise_bytes(kernel, 2, 3) == 16);
  std::vector<std::int8_t> packed(16, 99);
  pack_depthwise(kernel, w.data(), 2, 3, packed.data());
  CHECK(packed == std::vector<std::int8_t>{1, 2, 4, -5, 0, 0, 0, 0, 3, 0, -6, 0, 0, 0, 0, 0});

  const GemmKernel wide{"", "test", Isa::kScalar, 1, 2, 2, 2, 0, nullptr, nullptr, nullptr};
  REQUIRE(packed_depthwise_bytes(wide, 2, 3) == 16);
  std::vector<std::int16_t> words(8, 99);
  pack_depthwise(wide, w.data(), 2, 3, words.data());
  CHECK(words == std::vector<std::int16_t>{1, 2, 4, -5, 3, 0, -6, 0});

  std::vector<std::int8_t> channels(64);  // one tap
  for (std::size_t j = 0; j < 64; ++j) channels[j] = static_cast<std::int8_t>(j);
  const GemmKernel lanes{"", "test", Isa::kScalar, 1, 64, 1, 0, 0, nullptr, nullptr, nullptr};
  packed.resize(64);
  pack_depthwise(lanes, channels.data(), 64, 1, packed.data());
  CHECK(packed[0] == 0);
  CHECK(packed[4] == 16);  // lane 1 of the first vector
  CHECK(packed[16] == 4);  // the second vector
  CHECK(packed[63] == 63);
}

}  // namespace octet::kernels

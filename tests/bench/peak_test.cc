#include "bench/peak.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "base/aligned_buffer.h"

namespace octet {
namespace {

TEST_CASE("peak loops: those that this CPU has run, with a finite rate") {
  int available = 0;
  for (const PeakLoop& loop : peak_loops()) {
    if (!loop.available()) continue;
    CAPTURE(loop.instruction);
    const Rate rate = measure_peak(loop, 1, 0.0);
    CHECK(rate.best > 0.0);
    CHECK(rate.median > 0.0);
    CHECK(rate.median <= rate.best);
    CHECK(std::isfinite(rate.best));
    ++available;
  }
  CHECK((available > 0 || !cpu_supports(Isa::kAvx2)));
}

TEST_CASE("peak_loop_for: what kernels under a cap are compared with") {
  CHECK(peak_loop_for("fp32", Isa::kScalar) == nullptr);
  CHECK(peak_loop_for("fp64", default_isa()) == nullptr);
  if (cpu_supports(Isa::kAvx2)) {
    REQUIRE(peak_loop_for("fp32", Isa::kAvx2) != nullptr);
    CHECK(peak_loop_for("fp32", Isa::kAvx2)->macs == 8);
    CHECK(peak_loop_for("int8", Isa::kAvx2)->macs == 16);
    CHECK(peak_loop_for("bf16", Isa::kAvx2) == nullptr);
  }
  if (cpu_supports(Isa::kAvxVnni)) {
    CHECK(peak_loop_for("fp32", Isa::kAvxVnni)->macs == 8);
    CHECK(peak_loop_for("int8", Isa::kAvxVnni)->macs == 32);
  }
  if (cpu_supports(Isa::kAvx512Vnni)) {
    CHECK(peak_loop_for("fp32", Isa::kAvx512Vnni)->macs == 16);
    CHECK(peak_loop_for("int8", Isa::kAvx512Vnni)->macs == 64);
  }
  if (cpu_has_avx512_bf16()) CHECK(peak_loop_for("bf16", Isa::kAvx512Vnni)->macs == 32);
}

TEST_CASE("loops in assembly keep the registers that are the caller's") {
  std::vector<double> values = {1.5, 2.5, 3.5, 4.5};
  AlignedBuffer memory(4096);
  const auto sum = [&] {
    double s = 0.0;
    for (const double v : values) s += v;
    return s;
  };
  const double before = sum();
  for (const PeakLoop& loop : peak_loops()) {
    if (loop.available()) loop.run(10);
  }
  if (clock_loop() != nullptr) clock_loop()(10);
  if (read_loop() != nullptr) read_loop()(memory.data(), 4096);
  CHECK(sum() == before);
}

}  // namespace
}  // namespace octet

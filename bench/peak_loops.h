#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/cpu.h"

namespace octet {

// A loop that does nothing but multiply and accumulate with one instruction: what a kernel of this
// instruction set can reach at most. A round is twelve of them on accumulators
// of their own, as many as latency (6 cycles for vdpbf16ps) times throughput (2 a cycle) asks for.
constexpr std::int64_t kProductsPerRound = 12;

struct PeakLoop {
  const char* precision;    // "fp32", "bf16" or "int8"
  const char* instruction;  // "vfmadd231ps zmm"
  Isa isa;                  // what kernels with this instruction are compiled for
  std::int64_t macs;        // multiply-accumulates of one product
  bool (*available)();      // whether this CPU has it
  void (*run)(std::int64_t rounds);
};

// All that this build has; by precision, each ascending. Empty on architectures without such loops.
std::span<const PeakLoop> peak_loops();

// A chain of dependent 64-bit multiplications, 16 a round, 3 cycles each on every x86-64 core of
// the last ten years: its time is the clock. Null where there is none.
using ClockLoop = void (*)(std::int64_t rounds);
constexpr double kClockCyclesPerRound = 16 * 3.0;
ClockLoop clock_loop();

// Reads memory from end to end, `bytes` a multiple of 256, `begin` aligned to 32. Null where this
// CPU has no such loop (AVX2).
using ReadLoop = void (*)(const std::byte* begin, std::size_t bytes);
ReadLoop read_loop();

}  // namespace octet

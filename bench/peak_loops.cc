// Whole loops in assembly: nothing for a compiler to hoist, merge, spill or reorder, and no flags
// for an instruction set, so that nothing else in this file can come out compiled for one.
#include "bench/peak_loops.h"

namespace octet {

#if defined(__x86_64__)

namespace {

// Finite and nonzero in every format: 1.002 as float32, 1 as bfloat16, 63 and 128 (-128) as bytes.
constexpr std::uint32_t kOperand = 0x3f803f80;

#define OCTET_TIMES_12(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11)
#define OCTET_ALL_REGISTERS                                                                \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define OCTET_CLEAR(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"

// `body` is one round: accumulators in registers 0 to 11, the operands in 12 and 13. `reg` is "ymm"
// or "zmm".
// clang-format off
#define OCTET_PEAK_LOOP(name, reg, body)              \
  void name(std::int64_t rounds) {                    \
    asm volatile("vbroadcastss %1, %%" reg "12\n\t"   \
                 "vbroadcastss %1, %%" reg "13\n\t"   \
                 OCTET_TIMES_12(OCTET_CLEAR)          \
                 ".p2align 5\n"                       \
                 "1:\n\t"                             \
                 body                                 \
                 "dec %0\n\t"                         \
                 "jnz 1b\n\t"                         \
                 "vzeroupper"                         \
                 : "+r"(rounds)                       \
                 : "m"(kOperand)                      \
                 : "cc", OCTET_ALL_REGISTERS);        \
  }

#define OCTET_FMA_YMM(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n\t"
#define OCTET_FMA_ZMM(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
#define OCTET_BF16_ZMM(i) "vdpbf16ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
#define OCTET_DPBUSD_YMM(i) "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm" #i "\n\t"
#define OCTET_DPBUSD_ZMM(i) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #i "\n\t"
OCTET_PEAK_LOOP(fma_ymm, "ymm", OCTET_TIMES_12(OCTET_FMA_YMM))
OCTET_PEAK_LOOP(fma_zmm, "zmm", OCTET_TIMES_12(OCTET_FMA_ZMM))
OCTET_PEAK_LOOP(bf16_zmm, "zmm", OCTET_TIMES_12(OCTET_BF16_ZMM))
OCTET_PEAK_LOOP(dpbusd_ymm, "ymm", OCTET_TIMES_12(OCTET_DPBUSD_YMM))
OCTET_PEAK_LOOP(dpbusd_zmm, "zmm", OCTET_TIMES_12(OCTET_DPBUSD_ZMM))

// Bytes widened to 16 bits: exact, as the AVX2 kernels need it (vpmaddubsw saturates). A product is
// two instructions, and additions one by one get in the multipliers' way: in groups of six the loop
// is 6 % faster on Zen 4. Six accumulators do, since an addition takes one cycle.
#define OCTET_MADDWD(product) "vpmaddwd %%ymm12, %%ymm13, %%ymm" #product "\n\t"
#define OCTET_ADD(product, i) "vpaddd %%ymm" #product ", %%ymm" #i ", %%ymm" #i "\n\t"
#define OCTET_SIX_PRODUCTS                                                                      \
  OCTET_MADDWD(6) OCTET_MADDWD(7) OCTET_MADDWD(8) OCTET_MADDWD(9) OCTET_MADDWD(10) OCTET_MADDWD(11) \
  OCTET_ADD(6, 0) OCTET_ADD(7, 1) OCTET_ADD(8, 2) OCTET_ADD(9, 3) OCTET_ADD(10, 4) OCTET_ADD(11, 5)
OCTET_PEAK_LOOP(maddwd_ymm, "ymm", OCTET_SIX_PRODUCTS OCTET_SIX_PRODUCTS)
// clang-format on

bool has_avx2() { return cpu_supports(Isa::kAvx2); }
bool has_avxvnni() { return cpu_supports(Isa::kAvxVnni); }
bool has_avx512() { return cpu_supports(Isa::kAvx512Vnni); }

constexpr PeakLoop kPeakLoops[] = {
    {"fp32", "vfmadd231ps ymm", Isa::kAvx2, 8, has_avx2, fma_ymm},
    {"fp32", "vfmadd231ps zmm", Isa::kAvx512Vnni, 16, has_avx512, fma_zmm},
    {"bf16", "vdpbf16ps zmm", Isa::kAvx512Vnni, 32, cpu_has_avx512_bf16, bf16_zmm},
    {"int8", "vpmaddwd+vpaddd", Isa::kAvx2, 16, has_avx2, maddwd_ymm},
    {"int8", "vpdpbusd ymm", Isa::kAvxVnni, 32, has_avxvnni, dpbusd_ymm},
    {"int8", "vpdpbusd zmm", Isa::kAvx512Vnni, 64, has_avx512, dpbusd_zmm},
};

#define OCTET_MULTIPLY "imul %1, %1\n\t"
#define OCTET_TIMES_4(text) text text text text

void multiply_chain(std::int64_t rounds) {
  std::int64_t value = 3;
  asm volatile(
      "1:\n\t"  //
      OCTET_TIMES_4(OCTET_TIMES_4(OCTET_MULTIPLY)) "dec %0\n\t"
                                                   "jnz 1b"
      : "+r"(rounds), "+r"(value)
      :
      : "cc");
}

#define OCTET_READ(offset, i) "vmovaps " #offset "(%0), %%ymm" #i "\n\t"

void read_ymm(const std::byte* begin, std::size_t bytes) {
  std::size_t blocks = bytes / 256;
  asm volatile(
      ".p2align 5\n"
      "1:\n\t"  //
      OCTET_READ(0, 0) OCTET_READ(32, 1) OCTET_READ(64, 2) OCTET_READ(96, 3) OCTET_READ(128, 4)
          OCTET_READ(160, 5) OCTET_READ(192, 6) OCTET_READ(224, 7) "add $256, %0\n\t"
                                                                   "dec %1\n\t"
                                                                   "jnz 1b\n\t"
                                                                   "vzeroupper"
      : "+r"(begin), "+r"(blocks)
      :
      : "cc", "memory", OCTET_ALL_REGISTERS);
}

}  // namespace

std::span<const PeakLoop> peak_loops() { return kPeakLoops; }

ClockLoop clock_loop() { return multiply_chain; }

ReadLoop read_loop() { return has_avx2() ? read_ymm : nullptr; }

#else

std::span<const PeakLoop> peak_loops() { return {}; }

ClockLoop clock_loop() { return nullptr; }

ReadLoop read_loop() { return nullptr; }

#endif

}  // namespace octet

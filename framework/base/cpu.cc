#include "base/cpu.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#include "base/classic_locale.h"
#include "base/error.h"

namespace octet {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"scalar", "avx2", "avxvnni", "avx512vnni",
                                                    "neondot"};

#if defined(__x86_64__)
struct Registers {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

bool bit(std::uint32_t word, int index) { return (word >> index) & 1u; }

// Register state that the operating system saves: without it the instructions fault although CPUID
// shows them.
std::uint64_t enabled_state() {
  if (!bit(cpuid(1, 0).ecx, 27)) return 0;  // OSXSAVE
  std::uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

bool detect(Isa isa) {
  const Registers leaf1 = cpuid(1, 0), leaf7 = cpuid(7, 0), leaf7_1 = cpuid(7, 1);
  const std::uint64_t state = enabled_state();
  const bool ymm = (state & 0x6) == 0x6, zmm = (state & 0xE6) == 0xE6;
  const bool avx2 = ymm && bit(leaf7.ebx, 5) && bit(leaf1.ecx, 12);  // AVX2 and FMA
#if defined(OCTET_EMULATE_AVX512)
  return isa != Isa::kNeonDot && avx2;
#endif
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return avx2;
    case Isa::kAvxVnni:
      return avx2 && bit(leaf7_1.eax, 4);
    case Isa::kAvx512Vnni:  // F, DQ, BW, VL, VNNI
      return avx2 && zmm && bit(leaf7.ebx, 16) && bit(leaf7.ebx, 17) && bit(leaf7.ebx, 30) &&
             bit(leaf7.ebx, 31) && bit(leaf7.ecx, 11);
    case Isa::kNeonDot:
      return false;
  }
  return false;
}

bool detect_sha() { return bit(cpuid(1, 0).ecx, 19) && bit(cpuid(7, 0).ebx, 29); }  // with SSE4.1

bool detect_avx512_bf16() {
#if defined(OCTET_EMULATE_AVX512)
  return detect(Isa::kAvx512Vnni);
#endif
  return detect(Isa::kAvx512Vnni) && bit(cpuid(7, 1).eax, 5);
}
#elif defined(__aarch64__)
bool detect(Isa isa) {
  if (isa == Isa::kNeonDot) return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  return isa == Isa::kScalar;
}

bool detect_sha() { return false; }
bool detect_avx512_bf16() { return false; }
#else
bool detect(Isa isa) { return isa == Isa::kScalar; }

bool detect_sha() { return false; }
bool detect_avx512_bf16() { return false; }
#endif

std::string list_of(const std::vector<Isa>& isas) {
  std::string text;
  for (const Isa isa : isas) text += (text.empty() ? "" : ", ") + std::string(name_of(isa));
  return text;
}

Isa require_supported(Isa isa) {
  if (!cpu_supports(isa)) {
    throw UsageError(message("this CPU does not have \"", name_of(isa),
                             "\"; it has: ", list_of(supported_isas())));
  }
  return isa;
}

std::optional<Isa> g_process_isa;

}  // namespace

std::string_view name_of(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

Isa isa_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Isa>(i);
  }
  throw UsageError(message("unknown instruction set \"", name,
                           "\"; known are scalar, avx2, avxvnni, avx512vnni, neondot"));
}

bool cpu_supports(Isa isa) {
  static const std::array<bool, kNames.size()> supported = {
      detect(Isa::kScalar), detect(Isa::kAvx2), detect(Isa::kAvxVnni), detect(Isa::kAvx512Vnni),
      detect(Isa::kNeonDot)};
  return supported[static_cast<std::size_t>(isa)];
}

bool cpu_has_sha() {
  static const bool has = detect_sha();
  return has;
}

bool cpu_has_avx512_bf16() {
  static const bool has = detect_avx512_bf16();
  return has;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (cpu_supports(static_cast<Isa>(i))) isas.push_back(static_cast<Isa>(i));
  }
  return isas;
}

bool isa_includes(Isa cap, Isa isa) {
  if (isa == Isa::kScalar || isa == cap) return true;
  return isa == Isa::kAvx2 && (cap == Isa::kAvxVnni || cap == Isa::kAvx512Vnni);
}

Isa default_isa() {
  const char* asked = std::getenv("OCTET_ISA");
  if (asked != nullptr && *asked != '\0') return require_supported(isa_from_name(asked));
  return supported_isas().back();
}

void set_process_isa(Isa isa) { g_process_isa = require_supported(isa); }

Isa process_isa() { return g_process_isa ? *g_process_isa : default_isa(); }

std::string cpu_model_name() {
  Classic<std::ifstream> file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

}  // namespace octet

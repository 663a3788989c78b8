#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet {

// Instruction sets that kernels are written for, in ascending order of preference within an
// architecture.
enum class Isa { kScalar, kAvx2, kAvxVnni, kAvx512Vnni, kNeonDot };

// "scalar", "avx2", "avxvnni", "avx512vnni", "neondot": the words of --isa and of the variable
// OCTET_ISA.
std::string_view name_of(Isa isa);

// The inverse of name_of. Throws UsageError for a word that is not one of them.
Isa isa_from_name(std::string_view name);

// Whether this CPU (and its operating system) can run it. kAvx2 includes FMA; kAvx512Vnni includes
// F, BW, DQ, VL.
bool cpu_supports(Isa isa);

// Whether this CPU has AVX-512 BF16 (vdpbf16ps) beside kAvx512Vnni. No instruction set of its own:
// it decides neither integer nor float32 kernels.
bool cpu_has_avx512_bf16();

// The SHA extensions of x86 (file/sha256_blocks.h): no instruction set of kernels.
bool cpu_has_sha();

// All that this CPU can run, scalar first.
std::vector<Isa> supported_isas();

// Whether code for `isa` may run under the cap `cap`: scalar always, avx2 under avxvnni and
// avx512vnni, and so on. avxvnni is not part of avx512vnni: a CPU may have either without the
// other.
bool isa_includes(Isa cap, Isa isa);

// The best one this CPU can run, or what OCTET_ISA says. Throws UsageError if the CPU lacks what
// OCTET_ISA asks for: there is no silent fallback.
Isa default_isa();

// The cap which kernels that are chosen per process (float training) obey; default_isa() unless set
// by main. Throws UsageError if the CPU lacks `isa`.
void set_process_isa(Isa isa);
Isa process_isa();

// "AMD EPYC 9B14", from the operating system; "unknown" where it does not say.
std::string cpu_model_name();

}  // namespace octet

#include "ops/autocast.h"

#include "base/error.h"
#include "kernels/bf16/kernels.h"

namespace octet {
namespace {

thread_local Precision g_precision = Precision::kFp32;

}  // namespace

Precision autocast_precision() { return g_precision; }

AutocastGuard::AutocastGuard(Precision precision) : previous_(g_precision) {
  g_precision = precision;
}

AutocastGuard::~AutocastGuard() { g_precision = previous_; }

std::string describe_bf16() {
  const kernels::Bf16Kernels& isa = kernels::select_bf16_kernels(process_isa());
  return message(isa.name, isa.native ? "" : ", emulated");
}

std::string emulation_note(Precision precision) {
  if (precision != Precision::kBf16) return "";
  if (kernels::select_bf16_kernels(process_isa()).native) return "";
  return cpu_has_avx512_bf16() ? message("note: bf16 is emulated with instruction set ",
                                         name_of(process_isa()), ": right, but slower than fp32")
                               : "note: bf16 is emulated on this CPU, which has no AVX-512 BF16: "
                                 "right, but slower than "
                                 "fp32";
}

}  // namespace octet

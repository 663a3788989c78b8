#pragma once

#include <string>

namespace octet {

// Of the products of conv2d and linear. kBf16 rounds their operands to bfloat16 and keeps sums and
// results in float32 (kernels/bf16/conv2d.h); tensors and all other ops are float32 either way.
enum class Precision { kFp32, kBf16 };

// What conv2d, linear and matmul multiply in on this thread; kFp32 unless an AutocastGuard lives.
// Backward multiplies as forward did.
Precision autocast_precision();

// As PyTorch's torch.autocast("cpu", dtype). Not around a prepared model: what imitates integers
// must multiply exactly, so its leaves throw.
class AutocastGuard {
 public:
  explicit AutocastGuard(Precision precision);
  ~AutocastGuard();
  AutocastGuard(const AutocastGuard&) = delete;
  AutocastGuard& operator=(const AutocastGuard&) = delete;

 private:
  Precision previous_;
};

// What multiplies in bfloat16 under process_isa(): "avx512bf16", or "avx2, emulated".
std::string describe_bf16();

// A line for the user of a program that computes in `precision`; empty unless it is emulated.
std::string emulation_note(Precision precision);

}  // namespace octet

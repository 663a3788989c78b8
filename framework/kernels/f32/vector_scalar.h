#pragma once

#include <cstdint>

// What the scalar float32 and bfloat16 kernels have in common: one lane for gemm_tile.h, but for
// its multiply-add. Internal to the including file.
namespace octet::kernels {
namespace {

struct OneLane {
  using Reg = float;
  struct Mask {};
  static constexpr int kWidth = 1;
  static constexpr int kMaxVectors = 4;
  static constexpr bool kMasksCost = false;
  static constexpr int max_rows(int, bool) { return 4; }

  static Mask mask(std::int64_t) { return {}; }
  static Reg zero() { return 0.0f; }
  static Reg broadcast(const float* p) { return *p; }
  static Reg load(const float* p) { return *p; }
  static Reg load(const float* p, Mask) { return *p; }
  static void store(float* p, Reg r) { *p = r; }
  static void store(float* p, Reg r, Mask) { *p = r; }
  static void stream(float* p, Reg r) { *p = r; }
  static void stream_end() {}
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg relu(Reg r) { return 0.0f > r ? 0.0f : r; }
  static Reg least(Reg r, const float* p) { return *p < r ? *p : r; }
};

}  // namespace
}  // namespace octet::kernels

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace octet {

// What a random number is for. Numbers of different purposes are independent.
enum class RngPurpose : std::uint32_t {
  kInit = 1,
  kShuffle = 2,
  kAugment = 3,
  kDropout = 4,
  kSplit = 5,
  kFlip = 6,
  kTest = 99
};

// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", sec. 3.3): four
// random words as a pure function of counter and key. There is no state to save, and the order of
// calls does not matter.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// A stream of random numbers named by (seed, purpose, epoch, index): the same name gives the same
// stream, whatever thread asks, and after a resume. Cheap to construct; not thread-safe (make one
// per sample).
class Rng {
 public:
  Rng(std::uint64_t seed, RngPurpose purpose, std::uint32_t epoch = 0, std::uint32_t index = 0);

  std::uint32_t next();                  // uniform on all 32-bit values
  std::uint32_t below(std::uint32_t n);  // uniform on [0, n), without modulo bias; n > 0
  float uniform();                       // [0, 1), a multiple of 2^-24
  float uniform(float low, float high);  // low + (high - low) * uniform()
  float normal();  // sum of 12 uniforms - 6: exact adds only, so the same on every machine

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
};

}  // namespace octet

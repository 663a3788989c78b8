#pragma once

#include <cstdint>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <cfenv>
#endif

namespace octet {

// While one lives, its thread computes floats as our results are defined: rounding to nearest even,
// with denormals, without traps. Another library of the process may have set something else (one
// that was linked with -ffast-math flushes denormals as soon as it is loaded), and threads inherit
// it. What the caller had set is set again at the end. Costs nanoseconds where nothing differs.
class FloatEnvironment {
 public:
#if defined(__x86_64__) || defined(__aarch64__)
  FloatEnvironment() noexcept : before_(read()) {
    if (differs()) write(kDefault);
  }
  ~FloatEnvironment() {
    if (differs()) write(before_);
  }
#else
  FloatEnvironment() noexcept {
    std::fegetenv(&before_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FloatEnvironment() { std::fesetenv(&before_); }
#endif
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;

 private:
  // The fences keep what is computed from memory inside.
#if defined(__x86_64__)  // MXCSR; its lowest bits only tell what has happened
  static constexpr std::uint64_t kDefault = 0x1F80, kEvents = 0x3F;
  static std::uint64_t read() noexcept { return __builtin_ia32_stmxcsr(); }
  static void write(std::uint64_t value) noexcept {
    asm volatile("" ::: "memory");
    __builtin_ia32_ldmxcsr(static_cast<unsigned>(value));
    asm volatile("" ::: "memory");
  }
#elif defined(__aarch64__)  // FPCR
  static constexpr std::uint64_t kDefault = 0, kEvents = 0;
  static std::uint64_t read() noexcept {
    std::uint64_t value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(std::uint64_t value) noexcept {
    asm volatile("msr fpcr, %0" ::"r"(value) : "memory");
  }
#endif
#if defined(__x86_64__) || defined(__aarch64__)
  bool differs() const noexcept { return (before_ & ~kEvents) != kDefault; }

  const std::uint64_t before_;
#else
  std::fenv_t before_;
#endif
};

}  // namespace octet

#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <clocale>
#include <cstdint>
#include <fstream>
#include <locale>
#include <string>

#include "tests/file/temp_folder.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

// What another library may leave behind in our process: floating-point settings of a thread, and
// locales.
namespace octet::testing {

struct FloatControl {
  const char* name;
  std::uint64_t bits;
};

#if defined(__x86_64__)
inline constexpr std::uint64_t kUsualControl = 0x1F80;
inline constexpr FloatControl kOddControls[] = {{"denormals flushed", 0x1F80 | 0x8040},
                                                {"rounding up", 0x1F80 | 0x4000},
                                                {"rounding to zero", 0x1F80 | 0x6000},
                                                {"traps", 0x1F80 & ~0x0680}};
inline std::uint64_t float_control() { return _mm_getcsr() & ~0x3Fu; }
inline void set_float_control(std::uint64_t bits) { _mm_setcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__)
inline constexpr std::uint64_t kUsualControl = 0;
inline constexpr FloatControl kOddControls[] = {
    {"denormals flushed", 1u << 24}, {"rounding up", 1u << 22}, {"rounding to zero", 3u << 22}};
inline std::uint64_t float_control() {
  std::uint64_t bits;
  asm volatile("mrs %0, fpcr" : "=r"(bits));
  return bits;
}
inline void set_float_control(std::uint64_t bits) {
  asm volatile("msr fpcr, %0" ::"r"(bits) : "memory");
}
#endif

// This thread's setting, while it lives. Checks that nobody else has left another one behind.
class ScopedFloatControl {
 public:
  explicit ScopedFloatControl(std::uint64_t bits) : bits_(bits), before_(float_control()) {
    set_float_control(bits);
  }
  ~ScopedFloatControl() {
    const std::uint64_t after = float_control();
    set_float_control(before_);
    CHECK(after == bits_);
  }
  ScopedFloatControl(const ScopedFloatControl&) = delete;
  ScopedFloatControl& operator=(const ScopedFloatControl&) = delete;

 private:
  const std::uint64_t bits_, before_;
};

// As long as it lives, C++ groups digits and both C++ and C write a comma for the point. No locale
// need be installed: C's is made by hand (glibc's format).
class OddLocale {
 public:
  OddLocale() : before_(std::locale()) {
    std::locale::global(std::locale(std::locale::classic(), new Grouping));
    static constexpr unsigned char kNumeric[] = {
        0x14, 0x11, 0x03, 0x20, 0x06, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x22,
        0x00, 0x00, 0x00, 0x24, 0x00, 0x00, 0x00, 0x28, 0x00, 0x00, 0x00, 0x2C, 0x00,
        0x00, 0x00, 0x30, 0x00, 0x00, 0x00, 0x2C, 0x00, 0x2E, 0x00, 0x03, 0x03, 0x00,
        0x00, 0x2C, 0x00, 0x00, 0x00, 0x2E, 0x00, 0x00, 0x00, 0x41, 0x4E, 0x53, 0x49,
        0x5F, 0x58, 0x33, 0x2E, 0x34, 0x2D, 0x31, 0x39, 0x36, 0x38, 0x00};
    std::filesystem::create_directory(folder_ / "comma");
    std::ofstream(folder_ / "comma/LC_NUMERIC", std::ios::binary)
        .write(reinterpret_cast<const char*>(kNumeric), sizeof(kNumeric));
    ::setenv("LOCPATH", folder_.path().c_str(), 1);
    REQUIRE(std::setlocale(LC_NUMERIC, "comma") != nullptr);
    REQUIRE(std::string(std::localeconv()->decimal_point) == ",");
  }
  ~OddLocale() {
    std::setlocale(LC_NUMERIC, "C");
    ::unsetenv("LOCPATH");
    std::locale::global(before_);
  }
  OddLocale(const OddLocale&) = delete;
  OddLocale& operator=(const OddLocale&) = delete;

 private:
  struct Grouping : std::numpunct<char> {
    std::string do_grouping() const override { return "\1"; }
    char do_thousands_sep() const override { return '.'; }
    char do_decimal_point() const override { return ','; }
    std::string do_truename() const override { return "wahr"; }
  };

  const TempFolder folder_;
  const std::locale before_;
};

}  // namespace octet::testing

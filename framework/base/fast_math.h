#pragma once

#include <bit>
#include <cstdint>
#include <limits>

// exp, log and cos from additions, multiplications and divisions alone: the same bits with every C
// library, compiler and machine (given -ffp-contract=off), which libm does not promise. They
// compute in double and round once to float, so the float results are nearly always correctly
// rounded.
namespace octet {

// e^x; 0 below about -104, infinity above about 88.72, NaN for NaN. Largest error 0.51 ulp.
//   x = n ln 2 + r with |r| <= ln 2 / 2;  e^x = 2^n (1 + r + r^2/2! + ... + r^9/9!), remainder
//   7e-12. Free of branches, so that loops over it vectorize.
inline float exp_f32(float x) {
  constexpr double kLn2 = 0.6931471805599453, kInvLn2 = 1.4426950408889634;
  constexpr double kRound = 0x1.8p52;  // adding it rounds to an integer, in the low bits
  const float bounded = x < -110.0f ? -110.0f : (x > 90.0f ? 90.0f : x);
  const double value = static_cast<double>(bounded);
  const double shifted = value * kInvLn2 + kRound;
  const double r = value - (shifted - kRound) * kLn2;
  double p = 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const auto n = std::bit_cast<std::uint64_t>(shifted);  // n in the low 12 bits, two's complement
  return static_cast<float>(p * std::bit_cast<double>((n + 1023) << 52));
}

// ln x; -infinity for 0, NaN for negative numbers and NaN. Largest error 0.51 ulp.
//   x = 2^e m with m in [sqrt(1/2), sqrt(2));  s = (m - 1) / (m + 1);
//   ln x = e ln 2 + 2 (s + s^3/3 + ... + s^15/15), relative remainder 3e-14.
inline float log_f32(float x) {
  constexpr double kLn2 = 0.6931471805599453;
  if (!(x > 0.0f)) {
    return x == 0.0f ? -std::numeric_limits<float>::infinity()
                     : std::numeric_limits<float>::quiet_NaN();
  }
  if (x == std::numeric_limits<float>::infinity()) return x;
  // Every float is a normal double. Subtracting sqrt(1/2)'s bits makes the exponent field e.
  const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(x));
  constexpr std::uint64_t kSqrtHalf = 0x3FE6A09E667F3BCDu;
  const std::int64_t e = static_cast<std::int64_t>(bits - kSqrtHalf) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(e) << 52));
  const double s = (m - 1.0) / (m + 1.0), t = s * s;
  double p = 1.0 / 15;
  p = p * t + 1.0 / 13;
  p = p * t + 1.0 / 11;
  p = p * t + 1.0 / 9;
  p = p * t + 1.0 / 7;
  p = p * t + 1.0 / 5;
  p = p * t + 1.0 / 3;
  p = p * t + 1.0;
  return static_cast<float>(static_cast<double>(e) * kLn2 + 2.0 * s * p);
}

// cos(pi t) for t in [0, 1]; exact at 0, 1/2 and 1. Largest error 2e-15.
//   -sin(pi (t - 1/2)) by the Taylor series of sin for |t - 1/2| <= 1/4, and by that of cos, at the
//   distance to the nearer end, elsewhere.
inline double cos_pi(double t) {
  constexpr double kPi = 3.141592653589793;
  const double u = t - 0.5, a = u < 0.0 ? -u : u;
  double magnitude = 0.0;  // sin(pi a), a in [0, 1/2]
  if (a <= 0.25) {
    const double y = kPi * a, z = y * y;
    double p = -1.0 / 1307674368000;
    p = p * z + 1.0 / 6227020800;
    p = p * z - 1.0 / 39916800;
    p = p * z + 1.0 / 362880;
    p = p * z - 1.0 / 5040;
    p = p * z + 1.0 / 120;
    p = p * z - 1.0 / 6;
    p = p * z + 1.0;
    magnitude = y * p;
  } else {
    const double y = kPi * (0.5 - a), z = y * y;
    double p = -1.0 / 87178291200;
    p = p * z + 1.0 / 479001600;
    p = p * z - 1.0 / 3628800;
    p = p * z + 1.0 / 40320;
    p = p * z - 1.0 / 720;
    p = p * z + 1.0 / 24;
    p = p * z - 0.5;
    magnitude = p * z + 1.0;
  }
  return u < 0.0 ? magnitude : -magnitude;
}

}  // namespace octet

#include "base/rng.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

namespace octet {

// Known answers published with Random123 (kat_vectors).
TEST_CASE("philox4x32-10 gives the published known answers") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("rng: a stream depends on each part of its name, and only on it") {
  const auto first = [](std::uint64_t seed, RngPurpose purpose, std::uint32_t epoch,
                        std::uint32_t index) { return Rng(seed, purpose, epoch, index).next(); };
  const std::uint32_t base = first(1, RngPurpose::kInit, 0, 0);
  CHECK(base == first(1, RngPurpose::kInit, 0, 0));
  CHECK(base != first(2, RngPurpose::kInit, 0, 0));
  CHECK(base != first(std::uint64_t{1} << 32 | 1, RngPurpose::kInit, 0, 0));
  CHECK(base != first(1, RngPurpose::kShuffle, 0, 0));
  CHECK(base != first(1, RngPurpose::kInit, 1, 0));
  CHECK(base != first(1, RngPurpose::kInit, 0, 1));
}

TEST_CASE("rng: below, uniform and normal stay in range and look fair") {
  Rng rng(7, RngPurpose::kTest);
  int counts[3] = {};
  double sum = 0.0, square = 0.0;
  for (int i = 0; i < 30000; ++i) {
    ++counts[rng.below(3)];
    const float u = rng.uniform();
    REQUIRE(u >= 0.0f);
    REQUIRE(u < 1.0f);
    const double g = rng.normal();
    sum += g;
    square += g * g;
  }
  for (const int count : counts) CHECK(std::abs(count - 10000) < 400);
  CHECK(std::abs(sum / 30000) < 0.03);
  CHECK(std::abs(square / 30000 - 1.0) < 0.05);
}

}  // namespace octet

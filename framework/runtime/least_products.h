#pragma once

#include <cstdint>

namespace octet {

// Multiply-accumulates that a thread's share of a run has at least. Fewer take less time than
// threads take to wait for each other, and on a busy machine one that does not run yet comes
// milliseconds late. One LeNet image has 417,000.
inline constexpr std::int64_t kLeastProducts = 1'000'000;

}  // namespace octet

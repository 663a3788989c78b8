#pragma once

#include <cstdint>

namespace octet::fuzz {

// An input's bytes as choices; behind the end all are the lowest.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : data_(data), end_(data + size) {}

  bool left() const { return data_ != end_; }

  // low to high, at most 256 of them
  std::int64_t in(std::int64_t low, std::int64_t high) {
    const std::int64_t byte = left() ? *data_++ : 0;
    return low + byte % (high - low + 1);
  }

 private:
  const std::uint8_t *data_, *end_;
};

}  // namespace octet::fuzz

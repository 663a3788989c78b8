#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace octet {

// SHA-256 (FIPS 180-4, sec. 6.2) of a stream of bytes. Not thread-safe.
class Sha256 {
 public:
  Sha256& update(std::span<const std::byte> bytes);

  // The digest of everything so far as 64 lower-case hex digits. The stream may go on afterwards.
  std::string hex() const;

 private:
  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};  // what does not fill a block yet: size_ % 64 bytes
  std::uint64_t size_ = 0;             // bytes so far
};

// The digest of one piece of memory.
std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace octet

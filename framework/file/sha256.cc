#include "file/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/cpu.h"
#include "file/sha256_blocks.h"

namespace octet {
namespace {

constexpr std::size_t kBlock = 64;

std::uint32_t load_big_endian(const std::byte* bytes) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
}

void compress(std::uint32_t* state, const std::byte* block) {
  std::array<std::uint32_t, 64> w;
  for (std::size_t t = 0; t < 16; ++t) w[t] = load_big_endian(block + 4 * t);
  for (std::size_t t = 16; t < 64; ++t) {
    const std::uint32_t x = w[t - 15], y = w[t - 2];
    const std::uint32_t s0 = std::rotr(x, 7) ^ std::rotr(x, 18) ^ (x >> 3);
    const std::uint32_t s1 = std::rotr(y, 17) ^ std::rotr(y, 19) ^ (y >> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }

  std::uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  std::uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (std::size_t t = 0; t < 64; ++t) {
    const std::uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const std::uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + kSha256Rounds[t] + w[t];
    const std::uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const std::uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1;
    d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> sum = {a, b, c, d, e, f, g, h};
  for (std::size_t i = 0; i < sum.size(); ++i) state[i] += sum[i];
}

using Blocks = void (*)(std::uint32_t*, const std::byte*, std::size_t);

Blocks fastest_blocks() {
#if defined(__x86_64__)
  if (cpu_has_sha()) return sha256_blocks_sha;
#endif
  return sha256_blocks_portable;
}

// The same digest whichever it is, so OCTET_ISA has no say in it.
void add_blocks(std::array<std::uint32_t, 8>& state, const std::byte* blocks, std::size_t count) {
  static const Blocks blocks_of_this_cpu = fastest_blocks();
  blocks_of_this_cpu(state.data(), blocks, count);
}

}  // namespace

void sha256_blocks_portable(std::uint32_t* state, const std::byte* blocks, std::size_t count) {
  for (; count > 0; --count, blocks += kBlock) compress(state, blocks);
}

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  const std::size_t held = size_ % kBlock;
  size_ += bytes.size();
  if (held > 0) {
    const std::size_t taken = std::min(kBlock - held, bytes.size());
    std::copy_n(bytes.data(), taken, block_.data() + held);
    bytes = bytes.subspan(taken);
    if (held + taken < kBlock) return *this;
    add_blocks(state_, block_.data(), 1);
  }
  const std::size_t whole = bytes.size() / kBlock;
  add_blocks(state_, bytes.data(), whole);
  bytes = bytes.subspan(whole * kBlock);
  std::copy_n(bytes.data(), bytes.size(), block_.data());
  return *this;
}

std::string Sha256::hex() const {
  // Padding: one bit 1, zeros up to 56 modulo 64, then the length in bits as 8 big-endian bytes.
  const std::size_t held = size_ % kBlock;
  std::array<std::byte, kBlock + 8> padding{};
  padding[0] = std::byte{0x80};
  const std::size_t zeros_end = held < 56 ? 56 - held : 120 - held;
  for (std::size_t i = 0; i < 8; ++i) {
    padding[zeros_end + i] = static_cast<std::byte>((size_ * 8) >> (56 - 8 * i));
  }
  Sha256 copy = *this;
  copy.update(std::span(padding).first(zeros_end + 8));

  std::string text;
  for (const std::uint32_t word : copy.state_) {
    for (int shift = 28; shift >= 0; shift -= 4) text += "0123456789abcdef"[(word >> shift) & 15];
  }
  return text;
}

std::string sha256_hex(std::span<const std::byte> bytes) { return Sha256().update(bytes).hex(); }

}  // namespace octet

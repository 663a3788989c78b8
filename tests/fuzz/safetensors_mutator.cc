// For libFuzzer: changes header or data of a safetensors file and keeps the length field right.
// Blind changes of a few bytes would rarely leave a header that can be read at all.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  constexpr std::size_t kLength = 8;
  std::uint64_t header = 0;
  if (size >= kLength) std::memcpy(&header, data, kLength);
  if (seed % 8 == 0 || size < kLength || header > size - kLength || max_size <= size) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  std::uint8_t* const middle = data + kLength + header;
  if (seed % 8 == 1) {
    const std::size_t begin = kLength + header;
    return begin + LLVMFuzzerMutate(middle, size - begin, max_size - begin);
  }
  const std::vector<std::uint8_t> rest(middle, data + size);
  const std::size_t room = max_size - kLength - rest.size();
  header = LLVMFuzzerMutate(data + kLength, header, room);
  std::memcpy(data, &header, kLength);
  std::copy(rest.begin(), rest.end(), data + kLength + header);
  return kLength + header + rest.size();
}

#include "datasets/stb_decoder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace {

// What the decoder of this thread holds and may hold. Each block begins with its own size.
struct Budget {
  std::size_t used = 0, most = 0;
  bool exceeded = false;
};
thread_local Budget budget;
constexpr std::size_t kSizeField = 16;  // keeps the alignment of malloc

void* stb_allocate(std::size_t size) {
  if (size > budget.most || budget.used > budget.most - size) {
    budget.exceeded = true;
    return nullptr;
  }
  // Zeroed: before 2.28 stb_image uses Huffman tables that a damaged JPEG never defined.
  auto* block = static_cast<unsigned char*>(std::calloc(1, kSizeField + size));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &size, sizeof(size));
  budget.used += size;
  return block + kSizeField;
}

void stb_free(void* pointer) {
  if (pointer == nullptr) return;
  unsigned char* block = static_cast<unsigned char*>(pointer) - kSizeField;
  std::size_t size = 0;
  std::memcpy(&size, block, sizeof(size));
  budget.used -= std::min(budget.used, size);
  std::free(block);
}

void* stb_reallocate(void* pointer, std::size_t old_size, std::size_t size) {
  void* block = stb_allocate(size);
  if (block == nullptr || pointer == nullptr) return block;
  std::memcpy(block, pointer, std::min(old_size, size));
  stb_free(pointer);
  return block;
}

}  // namespace

#define STBI_MALLOC(size) stb_allocate(size)
#define STBI_REALLOC_SIZED(pointer, old_size, size) stb_reallocate(pointer, old_size, size)
#define STBI_FREE(pointer) stb_free(pointer)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_SIMD
#define STBI_NO_LINEAR
#define STBI_NO_FAILURE_STRINGS
#define STBI_MAX_DIMENSIONS 16384
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace octet {

DecodedPixels stb_decode(std::span<const std::uint8_t> bytes, int channels,
                         std::size_t most_bytes) {
  DecodedPixels decoded{{nullptr, stbi_image_free}};
  if (bytes.size() > std::numeric_limits<int>::max()) return decoded;
  const int size = static_cast<int>(bytes.size());
  budget = {.used = 0, .most = most_bytes, .exceeded = false};
  int stored_channels = 0;
  if (channels == 0) {
    if (stbi_info_from_memory(bytes.data(), size, &decoded.width, &decoded.height,
                              &stored_channels) != 1) {
      return decoded;
    }
    channels = stored_channels <= 2 ? 1 : 3;
  }
  decoded.pixels.reset(stbi_load_from_memory(bytes.data(), size, &decoded.width, &decoded.height,
                                             &stored_channels, channels));
  decoded.channels = channels;
  decoded.out_of_memory = budget.exceeded;
  return decoded;
}

}  // namespace octet

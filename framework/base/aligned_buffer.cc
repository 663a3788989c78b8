#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include <new>

#include "base/error.h"

namespace octet {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::align_val_t alignment_of(std::size_t size_bytes) {
  return std::align_val_t{size_bytes >= kHugePage ? kHugePage : kLine};
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t size_bytes) : size_bytes_(size_bytes) {
  if (size_bytes == 0) return;
  data_ =
      static_cast<std::byte*>(::operator new(size_bytes, alignment_of(size_bytes), std::nothrow));
  OCTET_CHECK(data_ != nullptr, "cannot allocate ", size_bytes, " bytes of memory");
#ifdef MADV_HUGEPAGE
  // Advice only: where huge pages are switched off nothing changes but speed.
  if (size_bytes >= kHugePage) madvise(data_, size_bytes & ~(kHugePage - 1), MADV_HUGEPAGE);
#endif
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ != nullptr) ::operator delete(data_, alignment_of(size_bytes_));
}

}  // namespace octet

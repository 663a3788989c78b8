#include "tensor/buffer_pool.h"

#include <map>
#include <mutex>
#include <vector>

#include "base/aligned_buffer.h"

namespace octet {
namespace {

// Sizes are rounded up so that tensors of similar size share blocks: to a quarter of the next lower
// power of two, hence by less than 25 %.
std::size_t rounded(std::size_t size_bytes) {
  if (size_bytes <= 256) return 256;
  const std::size_t step = (std::size_t{1} << (63 - __builtin_clzll(size_bytes))) / 4;
  return (size_bytes + step - 1) / step * step;
}

struct Pool {
  std::mutex mutex;
  std::map<std::size_t, std::vector<AlignedBuffer>> kept;
  std::size_t total_bytes = 0;
};

// Never destroyed: tensors in static storage may release their blocks after main.
Pool& pool() {
  static Pool& instance = *std::make_unique<Pool>().release();
  return instance;
}

}  // namespace

std::shared_ptr<std::byte> allocate_block(std::size_t size_bytes) {
  const std::size_t size = rounded(size_bytes);
  Pool& p = pool();
  AlignedBuffer buffer;
  {
    const std::lock_guard lock(p.mutex);
    // A larger block does: the last batch of an epoch, smaller than the others, takes no new
    // memory.
    for (auto it = p.kept.lower_bound(size); it != p.kept.end() && it->first <= 2 * size; ++it) {
      if (it->second.empty()) continue;
      buffer = std::move(it->second.back());
      it->second.pop_back();
      break;
    }
  }
  if (buffer.data() == nullptr) {
    buffer = AlignedBuffer(size);
    const std::lock_guard lock(p.mutex);
    p.total_bytes += size;
  }
  auto holder = std::make_shared<AlignedBuffer>(std::move(buffer));
  std::byte* data = holder->data();
  return {data, [holder = std::move(holder)](std::byte*) {
            Pool& q = pool();
            const std::lock_guard lock(q.mutex);
            q.kept[holder->size_bytes()].push_back(std::move(*holder));
          }};
}

std::size_t pool_bytes() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  return p.total_bytes;
}

void trim_pool() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  for (const auto& [size, buffers] : p.kept) p.total_bytes -= size * buffers.size();
  p.kept.clear();
}

}  // namespace octet

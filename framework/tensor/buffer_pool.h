#pragma once

#include <cstddef>
#include <memory>

namespace octet {

// The one allocator of tensor memory. Blocks that are released are kept and handed out again, so
// that from the second training step on no memory is asked of the operating system. The memory is
// not initialized; blocks are 64-byte aligned. Thread-safe.
std::shared_ptr<std::byte> allocate_block(std::size_t size_bytes);

// Bytes held by the pool, in use and kept.
std::size_t pool_bytes();

// Gives kept blocks back to the operating system.
void trim_pool();

}  // namespace octet

#pragma once

#include <cstddef>
#include <memory>

namespace octet {

// The one allocator of tensor memory. Blocks that are released are kept and handed out again, so
// that from the second training step on no memory is asked of the operating system. A request is
// served by a kept block of up to twice its size, else by a new one of up to 1.25 times (256 bytes
// and more). The memory is not initialized; blocks are 64-byte aligned, those of 2 MiB and more to
// 2 MiB, in huge pages where the system has them. Thread-safe.
std::shared_ptr<std::byte> allocate_block(std::size_t size_bytes);

// Bytes held by the pool, in use and kept.
std::size_t pool_bytes();

// Gives kept blocks back to the operating system.
void trim_pool();

}  // namespace octet

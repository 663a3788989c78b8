#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace octet {

// The largest file that is read when the caller names no cap: 16 GiB.
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{16} << 30;

// A whole regular file. Throws Error that names the path and the reason: not there, a folder, not
// readable, larger than `max_bytes`.
std::vector<std::byte> read_file(const std::string& path, std::uint64_t max_bytes = kMaxFileBytes);
std::string read_text_file(const std::string& path, std::uint64_t max_bytes = kMaxFileBytes);

// The same for a file of an open folder (a descriptor); `path` is its name in messages.
std::vector<std::byte> read_file_in(int folder, const std::string& name, const std::string& path,
                                    std::uint64_t max_bytes = kMaxFileBytes);
std::string read_text_file_in(int folder, const std::string& name, const std::string& path,
                              std::uint64_t max_bytes = kMaxFileBytes);

}  // namespace octet

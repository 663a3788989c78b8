#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace octet {

// What a file is that is not what its reader expected, by its first bytes, and what to do about it:
// "a Git LFS pointer, not the file itself; fetch it with: git lfs pull". Empty if it is unknown.
// For messages of readers that have refused a file: patterns of two bytes decide here, and no
// file is to be refused for them alone.
std::string foreign_format(std::span<const std::byte> bytes);

// "; it is a Git LFS pointer, ..." or "": the same, for the end of a message.
std::string foreign_hint(std::span<const std::byte> bytes);

}  // namespace octet

#pragma once

#include <cstddef>
#include <vector>

namespace octet::fuzz {

// The file with the right "octet.sha256" in its metadata, as docs/model_file.md defines it: without
// it no changed file would get past its checksum. A file without this key, or that is no
// safetensors file, comes back as it is.
std::vector<std::byte> with_right_digest(std::vector<std::byte> file);

}  // namespace octet::fuzz

#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace octet {

bool is_png(std::span<const std::uint8_t> bytes);
bool is_jpeg(std::span<const std::uint8_t> bytes);

// What a file is that is neither a PNG nor a JPEG, and what to do with it, in a message's words:
// "this is a HEIC image; convert it to PNG or JPEG".
std::string why_not_an_image(std::span<const std::uint8_t> bytes);

}  // namespace octet

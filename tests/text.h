#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace octet::testing {

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace octet::testing

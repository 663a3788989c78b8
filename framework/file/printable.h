#pragma once

#include <string>
#include <string_view>

namespace octet {

// Text from a file as it may stand in a message: control characters become \xNN (a terminal must
// not obey a file), and what is longer than `max_chars` is cut and ends in "...".
std::string printable(std::string_view text, std::size_t max_chars = 120);

// Whether a byte below 0x20 or 0x7f occurs.
bool has_control_characters(std::string_view text);

}  // namespace octet

#pragma once

#include <string_view>

namespace octet {

// Whether the bytes are text in UTF-8: no stray or missing continuation, no overlong form, no
// surrogate, nothing above U+10FFFF. JSON, and so a model file, can hold no other text.
bool is_utf8(std::string_view text);

}  // namespace octet

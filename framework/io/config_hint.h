#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet {

// Our word for a key that other programs call `foreign` ("learning_rate": "lr"), or "".
std::string_view our_word(std::string_view foreign);

// The keys of the configuration, whole ("train.lr"), that a word can mean: a key, the last part of
// some, a section with a name, another program's word, or a misspelling of one of these. '-' counts
// as '_'. Empty if there are none.
std::vector<std::string> keys_like(std::string word);

}  // namespace octet

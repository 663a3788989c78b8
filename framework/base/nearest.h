#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet {

// The word of `choices` that is the fewest insertions, deletions and replacements of a letter away
// from `word` (the first of several): for "unknown x, did you mean y?". Empty without choices.
std::string nearest(std::string_view word, const std::vector<std::string>& choices);

}  // namespace octet

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace octet {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (the
// restricted Damerau-Levenshtein distance).
std::size_t edit_distance(std::string_view a, std::string_view b);

// Edits up to which a word counts as a misspelling of `known`.
std::size_t typo_limit(std::string_view known);

// The nearest of `known` within its typo_limit and within `limit`; empty if there is none.
std::string nearest(std::string_view word, const std::vector<std::string>& known,
                    std::size_t limit = 3);

// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace octet

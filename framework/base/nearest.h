#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

// For "unknown x; did you mean y?".
namespace octet {

// Insertions, deletions, replacements of a letter and swaps of neighbours that turn `a` into `b`
// (Damerau-Levenshtein distance, no letter edited twice).
std::size_t edit_distance(std::string_view a, std::string_view b);

// The word of `choices` with the least edit_distance from `word` (the first of several). Empty
// without choices.
std::string nearest(std::string_view word, const std::vector<std::string>& choices);

// The same, if `word` can be taken for a misspelling of it: at most `max_edits`, and at most one
// edit for three letters. Empty otherwise.
std::string nearest_typo(std::string_view word, const std::vector<std::string>& choices,
                         std::size_t max_edits = 3);

}  // namespace octet

#include "io/suggest.h"

#include <algorithm>
#include <utility>

namespace octet {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Rows of the table: distance of the first i characters of a from the first j of b.
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitute});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::size_t typo_limit(std::string_view known) {
  return std::clamp<std::size_t>(known.size() / 3, 1, 3);
}

std::string nearest(std::string_view word, const std::vector<std::string>& known,
                    std::size_t limit) {
  std::string best;
  std::size_t best_distance = limit + 1;
  if (word.size() > 100) return best;  // nobody mistypes that
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance <= typo_limit(candidate)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace octet

#include "base/nearest.h"

#include <algorithm>
#include <utility>

namespace octet {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table: distances of the first i - 2, i - 1 and i letters of a from the first
  // j letters of b.
  std::vector<std::size_t> before, last, row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& choices) {
  const auto closer = [word](const std::string& a, const std::string& b) {
    return edit_distance(word, a) < edit_distance(word, b);
  };
  const auto best = std::min_element(choices.begin(), choices.end(), closer);
  return best == choices.end() ? std::string() : *best;
}

std::string nearest_typo(std::string_view word, const std::vector<std::string>& choices,
                         std::size_t max_edits) {
  if (word.size() > 100) return "";  // nobody mistypes that
  const std::string best = nearest(word, choices);
  const std::size_t limit = std::min(max_edits, std::max<std::size_t>(best.size() / 3, 1));
  return !best.empty() && edit_distance(word, best) <= limit ? best : "";
}

}  // namespace octet

#include "runtime/ranking.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/float_environment.h"

namespace octet {

Ranking::Ranking(std::span<const std::int32_t> logits, double scale) noexcept
    : logits_(logits), scale_(scale) {
  const FloatEnvironment environment;
  assert(!logits.empty());
  largest_ = *std::max_element(logits.begin(), logits.end());
  for (const std::int32_t logit : logits) sum_ += std::exp(scale * (logit - largest_));
}

ScoredClass Ranking::next() noexcept {
  const FloatEnvironment environment;
  const auto at = [&](std::int32_t c) { return logits_[static_cast<std::size_t>(c)]; };
  std::int32_t best = -1;
  for (std::int32_t c = 0; c < static_cast<std::int32_t>(logits_.size()); ++c) {
    const bool is_left =
        previous_ < 0 || at(c) < at(previous_) || (at(c) == at(previous_) && c > previous_);
    if (is_left && (best < 0 || at(c) > at(best))) best = c;
  }
  assert(best >= 0);
  previous_ = best;
  return {best, at(best), std::exp(scale_ * (at(best) - largest_)) / sum_};
}

}  // namespace octet

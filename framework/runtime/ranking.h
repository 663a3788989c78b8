#pragma once

#include <cstdint>
#include <span>

namespace octet {

// A class as a model rates one image.
struct ScoredClass {
  std::int32_t index = 0;
  std::int32_t logit = 0;
  double probability = 0.0;  // softmax of the real logits, scale * logit
};

// The classes of one image by falling logits; of equal ones the lowest index comes first, so the
// first is the argmax. Allocates nothing; `logits` must live as long.
class Ranking {
 public:
  // logits: [classes], at least one, with their common `scale`
  Ranking(std::span<const std::int32_t> logits, double scale) noexcept;

  // The best class, then the second, and so on: at most as many as there are.
  ScoredClass next() noexcept;

 private:
  std::span<const std::int32_t> logits_;
  double scale_;
  double largest_ = 0.0;
  double sum_ = 0.0;            // of exp(scale (logit - largest)) over all classes
  std::int32_t previous_ = -1;  // what next() returned last
};

}  // namespace octet

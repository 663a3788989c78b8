#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace octet {

// Two classifiers on the same images.
struct Comparison {
  std::int64_t images = 0;
  std::int64_t same_prediction = 0;  // right or wrong
  std::int64_t only_a_correct = 0;   // b, and
  std::int64_t only_b_correct = 0;   // c, of McNemar's test
  double mcnemar_p = 1.0;
};

// Exact two-sided p of McNemar's test: the probability that of b + c images which one of two
// equally good classifiers gets right and the other wrong, at most min(b, c) or at least max(b, c)
// fall to the first; 1 if there are none. (McNemar 1947; binomial, not the chi-square
// approximation.) b, c >= 0.
double mcnemar_p(std::int64_t b, std::int64_t c);

// Compares predicted classes; all three have one element per image.
Comparison compare(std::span<const std::int32_t> a, std::span<const std::int32_t> b,
                   std::span<const std::int32_t> labels);

std::vector<std::int32_t> labels_of(const Dataset& dataset);

nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace octet

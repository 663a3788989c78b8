#include "eval/mcnemar.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace octet {

// Twice the lower tail of the binomial distribution with n = b + c and 1/2. Its terms may be
// smaller than a double, so they are added relative to the last and largest.
double mcnemar_p(std::int64_t b, std::int64_t c) {
  OCTET_CHECK(b >= 0 && c >= 0, "[mcnemar_p] takes counts, got ", b, " and ", c);
  if (b == c) return 1.0;
  const std::int64_t n = b + c, k = std::min(b, c);
  double sum = 0.0, term = 1.0;  // C(n, i) / C(n, k) for i = k, k - 1, ...
  for (std::int64_t i = k; i >= 0 && term > 1e-18 * sum; --i) {
    sum += term;
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
  }
  const auto log_factorial = [](std::int64_t m) {
    return std::lgamma(static_cast<double>(m) + 1.0);
  };
  const double log_largest = log_factorial(n) - log_factorial(k) - log_factorial(n - k) -
                             static_cast<double>(n) * std::log(2.0);
  return std::min(1.0, 2.0 * sum * std::exp(log_largest));
}

Comparison compare(std::span<const std::int32_t> a, std::span<const std::int32_t> b,
                   std::span<const std::int32_t> labels) {
  OCTET_CHECK(a.size() == labels.size() && b.size() == labels.size(), "[compare] got ", a.size(),
              " and ", b.size(), " predictions for ", labels.size(), " labels");
  Comparison result{.images = static_cast<std::int64_t>(labels.size())};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool a_right = a[i] == labels[i], b_right = b[i] == labels[i];
    result.same_prediction += a[i] == b[i] ? 1 : 0;
    result.only_a_correct += a_right && !b_right ? 1 : 0;
    result.only_b_correct += b_right && !a_right ? 1 : 0;
  }
  result.mcnemar_p = mcnemar_p(result.only_a_correct, result.only_b_correct);
  return result;
}

std::vector<std::int32_t> labels_of(const Dataset& dataset) {
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < dataset.size(); ++i) labels.push_back(dataset.get(i).label);
  return labels;
}

nlohmann::ordered_json to_json(const Comparison& comparison) {
  return {{"images", comparison.images},
          {"same_prediction", comparison.same_prediction},
          {"only_a_correct", comparison.only_a_correct},
          {"only_b_correct", comparison.only_b_correct},
          {"mcnemar_p", comparison.mcnemar_p}};
}

}  // namespace octet

#pragma once

#include <limits>
#include <string>

namespace octet {

// The values that a number of the configuration may have.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_allowed = true;
  bool max_allowed = true;

  constexpr bool contains(double value) const {
    return (min_allowed ? value >= min : value > min) && (max_allowed ? value <= max : value < max);
  }
  std::string to_string() const;  // "> 0", "in [0, 1)"; empty if every number is allowed
};

constexpr Range at_least(double min) { return {.min = min}; }
constexpr Range above(double min) { return {.min = min, .min_allowed = false}; }
constexpr Range within(double min, double max) { return {.min = min, .max = max}; }
constexpr Range from_below(double min, double max) {  // [min, max)
  return {.min = min, .max = max, .max_allowed = false};
}

}  // namespace octet

#include "train/check_tensors.h"

#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include "base/error.h"
#include "file/printable.h"

namespace octet {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

template <class T, class Fits>
void check_each(const NamedTensor& named, const std::string& source, const char* must,
                const Fits& fits) {
  const T* x = named.tensor.data<T>();
  for (std::int64_t i = 0; i < named.tensor.numel(); ++i) {
    OCTET_CHECK(fits(x[i]), source, ": tensor \"", printable(named.name), "\" has ", +x[i],
                " at element ", i, ", must be ", must);
  }
}

void check_floats(const NamedTensor& named, const std::string& source) {
  const auto finite = [](float x) { return std::isfinite(x); };
  if (ends_with(named.name, ".running_var")) {
    return check_each<float>(named, source, "a variance: finite, 0 or more",
                             [&](float x) { return finite(x) && x >= 0.0f; });
  }
  if (ends_with(named.name, ".scale")) {
    return check_each<float>(named, source, "a scale: finite, more than 0",
                             [&](float x) { return finite(x) && x > 0.0f; });
  }
  if (ends_with(named.name, ".histogram")) {
    return check_each<float>(named, source, "a count: finite, 0 or more",
                             [&](float x) { return finite(x) && x >= 0.0f; });
  }
  // An observer that has seen nothing: +inf, -inf.
  if (ends_with(named.name, ".min_val")) {
    return check_each<float>(named, source, "finite, or inf before anything was observed",
                             [&](float x) { return finite(x) || x == kInfinity; });
  }
  if (ends_with(named.name, ".max_val")) {
    return check_each<float>(named, source, "finite, or -inf before anything was observed",
                             [&](float x) { return finite(x) || x == -kInfinity; });
  }
  check_each<float>(named, source, "finite", finite);
}

// min_val and max_val, element by element.
void check_range(const NamedTensor& low, const NamedTensor& high, const std::string& source) {
  OCTET_CHECK(low.tensor.numel() == high.tensor.numel(), source, ": tensor \"", printable(low.name),
              "\" has ", low.tensor.numel(), " elements, \"", printable(high.name), "\" has ",
              high.tensor.numel());
  for (std::int64_t i = 0; i < low.tensor.numel(); ++i) {
    const float a = low.tensor.data()[i], b = high.tensor.data()[i];
    OCTET_CHECK(a <= b || (a == kInfinity && b == -kInfinity), source, ": tensor \"",
                printable(low.name), "\" has ", a, " at element ", i, ", more than ", b, " in \"",
                printable(high.name), "\"");
  }
}

}  // namespace

void check_training_tensors(const std::vector<NamedTensor>& tensors, const std::string& source) {
  std::map<std::string, const NamedTensor*> low;
  for (const NamedTensor& named : tensors) {
    const DType dtype = named.tensor.dtype();
    if (dtype == DType::kF32) check_floats(named, source);
    if (dtype == DType::kI32 && ends_with(named.name, ".zero_point")) {
      const bool weight = ends_with(named.name, "weight_fake_quant.zero_point");
      check_each<std::int32_t>(named, source, weight ? "0" : "a code from 0 to 255",
                               [=](std::int32_t z) { return z >= 0 && z <= (weight ? 0 : 255); });
    }
    if (dtype == DType::kU8 && ends_with(named.name, "_enabled")) {
      check_each<std::uint8_t>(named, source, "0 or 1", [](std::uint8_t on) { return on <= 1; });
    }
    if (dtype == DType::kF32 && ends_with(named.name, ".min_val")) low[named.name] = &named;
  }
  for (const NamedTensor& named : tensors) {
    if (named.tensor.dtype() != DType::kF32 || !ends_with(named.name, ".max_val")) continue;
    const std::string stem =
        named.name.substr(0, named.name.size() - std::string("max_val").size());
    const auto found = low.find(stem + "min_val");
    if (found != low.end()) check_range(*found->second, named, source);
  }
}

}  // namespace octet

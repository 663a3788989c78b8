#include "quant/qconfig.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/nearest.h"

namespace octet {
namespace {

constexpr std::array<std::pair<QScheme, std::string_view>, 3> kQSchemes{
    {{QScheme::kPerTensorAffine, "per_tensor_affine"},
     {QScheme::kPerTensorSymmetric, "per_tensor_symmetric"},
     {QScheme::kPerChannelSymmetric, "per_channel_symmetric"}}};
constexpr std::array<std::pair<ObserverKind, std::string_view>, 3> kObservers{
    {{ObserverKind::kMinMax, "min_max"},
     {ObserverKind::kMovingAverage, "moving_average"},
     {ObserverKind::kHistogram, "histogram"}}};

template <class Table, class E>
std::string_view word(const Table& table, E value) {
  for (const auto& [key, name] : table) {
    if (key == value) return name;
  }
  return "?";
}

template <class Table>
auto find(const char* what, const Table& table, std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [key, text] : table) {
    if (text == name) return key;
    known.emplace_back(text);
  }
  throw UsageError(
      message("unknown ", what, " \"", name, "\"; did you mean \"", nearest(name, known), "\"?"));
}

}  // namespace

QRange quant_range(TensorRole role, int bits) {
  OCTET_CHECK(bits >= 2 && bits <= 8, "quantization takes 2 to 8 bits, got ", bits);
  if (role == TensorRole::kActivation) return {0, (1 << bits) - 1};
  const std::int32_t largest = (1 << (bits - 1)) - 1;
  return {-largest, largest};
}

std::string_view name_of(QScheme qscheme) { return word(kQSchemes, qscheme); }
std::string_view name_of(ObserverKind kind) { return word(kObservers, kind); }

QScheme qscheme_from_name(std::string_view name) { return find("qscheme", kQSchemes, name); }
ObserverKind observer_kind_from_name(std::string_view name) {
  return find("observer", kObservers, name);
}

}  // namespace octet

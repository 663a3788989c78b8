#pragma once

#include <string_view>

#include "kernels/qspec.h"

namespace octet {

// How the codes of a tensor relate to real numbers.
enum class QScheme {
  kPerTensorAffine,      // one scale, one zero point
  kPerTensorSymmetric,   // one scale; zero point 0 for weights, 128 (at 8 bits) for activations
  kPerChannelSymmetric,  // weights only: one scale per output channel, zero point 0
};

// How the range of a tensor is watched.
enum class ObserverKind {
  kMinMax,         // the smallest and largest value ever seen
  kMovingAverage,  // exponential moving averages of each batch's smallest and largest value
  kHistogram,      // all values in bins, and the range of the smallest squared error
};

// How one tensor is quantized.
struct TensorQConfig {
  QScheme qscheme = QScheme::kPerTensorAffine;
  ObserverKind observer = ObserverKind::kMovingAverage;
  int bits = 8;                      // 2 to 8
  float averaging_constant = 0.01f;  // weight of the newest batch in a moving average

  bool operator==(const TensorQConfig&) const = default;
};

// How the layers of a model are quantized: the words of the configuration file's `quantize`
// section.
struct QConfig {
  TensorQConfig weight = {.qscheme = QScheme::kPerChannelSymmetric,
                          .observer = ObserverKind::kMinMax};
  TensorQConfig activation = {};

  bool operator==(const QConfig&) const = default;
};

// What a tensor is to its layer: weights are int8 around 0, activations uint8.
enum class TensorRole { kWeight, kActivation };

// The codes that `bits` allow: weights [-(2^(b-1) - 1), 2^(b-1) - 1], activations [0, 2^b - 1].
// Throws Error unless 2 <= bits <= 8.
QRange quant_range(TensorRole role, int bits);

// "per_tensor_affine", "per_tensor_symmetric", "per_channel_symmetric"
std::string_view name_of(QScheme qscheme);
// "min_max", "moving_average", "histogram"
std::string_view name_of(ObserverKind kind);
// The inverses. Throw UsageError, naming the nearest word, for a name that is not one of them.
QScheme qscheme_from_name(std::string_view name);
ObserverKind observer_kind_from_name(std::string_view name);

}  // namespace octet

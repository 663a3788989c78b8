#include "quant/qconfig.h"

#include <doctest/doctest.h>

#include "base/error.h"

namespace octet {

TEST_CASE("qconfig: bits give the codes of PyTorch's narrow weights and unsigned activations") {
  CHECK(quant_range(TensorRole::kWeight, 8) == kWeightRange);
  CHECK(quant_range(TensorRole::kActivation, 8) == kActivationRange);
  CHECK(quant_range(TensorRole::kWeight, 4) == QRange{-7, 7});
  CHECK(quant_range(TensorRole::kActivation, 4) == QRange{0, 15});
  CHECK_THROWS_AS(quant_range(TensorRole::kWeight, 1), Error);
  CHECK_THROWS_AS(quant_range(TensorRole::kActivation, 9), Error);
}

TEST_CASE("qconfig: names are PyTorch's and a misspelled one is told the nearest") {
  for (const QScheme s :
       {QScheme::kPerTensorAffine, QScheme::kPerTensorSymmetric, QScheme::kPerChannelSymmetric}) {
    CHECK(qscheme_from_name(name_of(s)) == s);
  }
  for (const ObserverKind k :
       {ObserverKind::kMinMax, ObserverKind::kMovingAverage, ObserverKind::kHistogram}) {
    CHECK(observer_kind_from_name(name_of(k)) == k);
  }
  CHECK_THROWS_WITH_AS(qscheme_from_name("per_tensor_afine"),
                       "unknown qscheme \"per_tensor_afine\"; did you mean \"per_tensor_affine\"?",
                       UsageError);
  CHECK_THROWS_AS(observer_kind_from_name("minmax"), UsageError);
}

}  // namespace octet

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quant/observer.h"
#include "quant/qconfig.h"
#include "tensor/tensor.h"

namespace octet {

// How one tensor of a layer is quantized, and its state: watches the range, derives scale and zero
// point, and in training rounds to the grid with the straight-through gradient. Scale and zero
// point are state, not derived quantities: everybody reads them here and nobody computes them
// again. Used by one thread at a time.
class FakeQuantize {
 public:
  // channels: output channels, used by per_channel_symmetric (one scale each) and ignored
  // otherwise. Throws Error for a scheme that the role does not allow: weights are symmetric,
  // activations per tensor.
  FakeQuantize(TensorRole role, const TensorQConfig& config, std::int64_t channels = 0);

  // Observes if observer_enabled(), then fake-quantizes if fake_quant_enabled().
  //   x: any shape, float32; for per-channel weights [channels, ...]
  // Throws Error if it shall fake-quantize but never observed anything, or x is not finite.
  Tensor operator()(const Tensor& x);

  void enable_observer(bool on);
  void enable_fake_quant(bool on);
  bool observer_enabled() const;
  bool fake_quant_enabled() const;

  // Whether there is a range, and so a scale.
  bool calibrated() const { return observer_->observed(); }
  // Throws Error that says what to do unless calibrated().
  void check_calibrated() const;

  // Parameters of a per-tensor quantization. Throws Error unless calibrated and per tensor.
  QParams qparams() const;
  // Scale of each of `channels` output channels: the one scale repeated if per tensor. Throws
  // Error unless calibrated.
  std::vector<float> channel_scales(std::int64_t channels) const;

  bool per_channel() const { return config_.qscheme == QScheme::kPerChannelSymmetric; }
  QRange range() const { return range_; }
  const TensorQConfig& config() const { return config_; }

  // The state under PyTorch's names: scale (F32), zero_point (I32), the observer's min_val, max_val
  // (F32), all [1] or [channels], and histogram where it has one (F32 [2048]), observer_enabled,
  // fake_quant_enabled (U8 [1]).
  std::vector<std::pair<std::string, Tensor>> buffers() const;

 private:
  void update_qparams();

  TensorRole role_;
  TensorQConfig config_;
  QRange range_;
  std::unique_ptr<Observer> observer_;
  Tensor scale_, zero_point_, observer_enabled_, fake_quant_enabled_;
};

// `value` on the way forward, the gradient of `path` on the way back: the straight-through
// estimator for a whole computation. Both have the same shape; `value` needs no history.
Tensor straight_through(const Tensor& value, const Tensor& path);

}  // namespace octet

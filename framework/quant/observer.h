#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quant/qconfig.h"
#include "tensor/tensor.h"

namespace octet {

struct ValueRange {
  float min = 0.0f;
  float max = 0.0f;

  bool operator==(const ValueRange&) const = default;
};

// Watches the range of a tensor, per tensor or per channel (axis 0). Its state are tensors, so that
// checkpoints hold it: min_val and max_val, float32, one element per channel, +inf and -inf until
// something was observed, and what a kind of observer adds. Used by one thread at a time.
class Observer {
 public:
  // channels: 0 watches the tensor as a whole; the state then has one element.
  explicit Observer(std::int64_t channels);
  virtual ~Observer() = default;

  // Takes in the range of x: per tensor any shape, per channel [channels, ...]; float32.
  // Throws Error if an element is not finite, or on a shape that does not fit.
  virtual void observe(const Tensor& x);

  // Whether every channel has a range.
  bool observed() const;

  const Tensor& min_val() const { return min_val_; }
  const Tensor& max_val() const { return max_val_; }

  // The range that the codes shall cover: [min_val, max_val], or less. Only once observed().
  virtual ValueRange quantized_range(std::int64_t channel) const;
  // The state, by name.
  virtual std::vector<std::pair<std::string, Tensor>> buffers() const;

 protected:
  // Merges one channel's new range [min, max] into the state; `first` on the first observation.
  virtual void update(float min, float max, bool first, float& min_val, float& max_val) const = 0;

 private:
  std::int64_t channels_;
  Tensor min_val_, max_val_;
};

// The smallest and largest value ever seen (PyTorch's MinMaxObserver, PerChannelMinMaxObserver).
class MinMaxObserver : public Observer {
 public:
  using Observer::Observer;

 private:
  void update(float min, float max, bool first, float& min_val, float& max_val) const override;
};

// min_val += averaging_constant (min - min_val), and max_val alike; the first batch sets them
// (PyTorch's MovingAverageMinMaxObserver).
class MovingAverageMinMaxObserver final : public Observer {
 public:
  // Throws Error unless 0 < averaging_constant <= 1.
  MovingAverageMinMaxObserver(std::int64_t channels, float averaging_constant);

 private:
  void update(float min, float max, bool first, float& min_val, float& max_val) const override;

  float averaging_constant_;
};

// Throws Error for a kind that cannot watch channels one by one (histogram) if it shall.
std::unique_ptr<Observer> make_observer(const TensorQConfig& config, std::int64_t channels);

}  // namespace octet

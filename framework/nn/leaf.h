#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nn/float_form.h"
#include "nn/lowering.h"
#include "nn/module.h"
#include "quant/fake_quantize.h"

namespace octet {

using Inputs = std::span<const Tensor>;

// Draws the initial values of parameters: the i-th parameter of a model reads the stream
// Rng(seed, kInit, 0, i), so a layer's values depend neither on threads nor on other layers' sizes.
class Initializer {
 public:
  explicit Initializer(std::uint64_t seed) : seed_(seed) {}
  void uniform(Tensor parameter, float bound);  // on [-bound, bound)
  void normal(Tensor parameter, float stddev);  // around 0
  void constant(Tensor parameter, float value);

 private:
  std::uint64_t seed_;
  std::uint32_t next_ = 0;
};

// Gives every parameter of the model its initial value, as PyTorch does by default: weights and
// biases of convolutions and linear layers uniform on +-1/sqrt(fan_in) (kaiming_uniform with a =
// sqrt(5)), gamma 1, beta 0; a model may choose otherwise for its convolutions
// (ConvBnAct::Options).
//   He et al. 2015 (arXiv:1502.01852), sec. 2.2.
void initialize(Module& model, std::uint64_t seed);

// The unit of tracing, quantizing, fusing and lowering: one layer. What it computes depends on its
// state:
//   float       not prepared, training or evaluation
//   fake-quant  prepared and training: real numbers on the grid of the codes, straight-through
//               gradient; also prepared, in evaluation, with fake quantization off: calibration
//   codes       prepared, in evaluation, fake quantization on: *the twin*. Tensors are float32
//               codes with qparams(); the result has the bits of the integer graph
//               (docs/quantization.md).
// Every Error that comes out of a leaf begins with its name. Used by one thread at a time.
class Leaf : public Module {
 public:
  template <std::same_as<Tensor>... T>
  Tensor operator()(const T&... x) {
    const Tensor inputs[] = {x...};
    return call(inputs);
  }
  // Computes the result, and tells the tracer, if there is one on this thread (nn/trace.h).
  Tensor call(Inputs x);

  // Prepares the leaf: creates observers and fake-quantizers; their state are buffers. Throws Error
  // if it was prepared before.
  void set_qconfig(const QConfig& qconfig);
  bool prepared() const { return prepared_; }

  // Appends the leaf's integer form to the graph and returns the id of its output value. Needs a
  // calibrated leaf.
  virtual ir::ValueId lower(Lowering& lowering) const = 0;

  // The leaf's form for float inference. Throws Error that names the leaf if it has none, or if it
  // is prepared: its weights may then be on their way to integers.
  FloatForm float_form() const;

  // Prepares the output as logits: int32 on one common scale instead of 8-bit codes. Throws Error
  // for a leaf that has no such form; Linear has.
  virtual void make_logits();

  // Initial values of the leaf's parameters, in the order of named_parameters().
  virtual void reset_parameters(Initializer&) {}

  // Of a prepared leaf, weights first; empty if it quantizes nothing itself (max-pool, flatten).
  std::vector<FakeQuantize*> fake_quantizers() const;

  // Batch norm in QAT: from now on normalize with the running statistics, also in training. Nothing
  // to do for leaves without batch norm.
  virtual void freeze_bn_stats(bool) {}
  // Weight of the newest batch in batch norm's running statistics, in [0, 1]; BatchNormOptions has
  // the default. Nothing to do for leaves without batch norm.
  virtual void set_bn_momentum(float) {}

 protected:
  // Real numbers: float and fake-quant.
  virtual Tensor forward(Inputs x) = 0;
  // The twin: each input is codes with qparams. For leaves that quantize; others pass codes and
  // qparams on in `forward`.
  virtual Tensor forward_codes(Inputs x) const;
  // float_form, of a leaf that is not prepared.
  virtual FloatForm folded() const;
  // Creates what set_qconfig shall create; calls add_fake_quantize.
  virtual void prepare(const QConfig&) {}

  // Registers the quantizer's buffers as "<name>.scale" and so on. The leaf owns it.
  FakeQuantize& add_fake_quantize(const std::string& name, TensorRole role,
                                  const TensorQConfig& config, std::int64_t channels = 0);

 private:
  Tensor forward(const Tensor& x) final { return call({&x, 1}); }
  Tensor compute(Inputs x);
  bool computes_codes() const;

  std::vector<std::unique_ptr<FakeQuantize>> fake_quantizers_;
  bool prepared_ = false;
};

// All leaves of a tree in the order of creation, with their names.
std::vector<std::pair<std::string, Leaf*>> named_leaves(Module& model);

}  // namespace octet

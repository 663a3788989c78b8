#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/float_environment.h"
#include "tensor/tensor.h"

namespace octet {

// A tensor of a model under its full name, "layer1.0.conv2.weight".
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// A tree of named state. Composites add children in their constructor and call them in `forward`;
// leaves (nn/leaf.h) are the units of tracing, quantizing, fusing and lowering. Not copyable; used
// by one thread at a time.
class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  Tensor operator()(const Tensor& x) {
    const FloatEnvironment environment;
    return forward(x);
  }

  using Children = std::vector<std::pair<std::string, std::unique_ptr<Module>>>;
  const Children& children() const { return children_; }

  // This module's and all descendants', depth first, in the order of creation.
  std::vector<NamedTensor> named_parameters() const;  // trained
  // Running statistics, scales, zero points, observer state.
  std::vector<NamedTensor> named_buffers() const;
  std::vector<std::pair<std::string, Module*>> named_modules();  // itself first, under ""

  // "layer1.0.conv2"; "" for the root of the tree.
  std::string full_name() const;

  // Training mode (batch statistics, dropout, straight fake-quantization) or evaluation mode, for
  // the whole tree.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }

 protected:
  virtual Tensor forward(const Tensor& x) = 0;

  // Creation is registration: conv1(add<ConvBnAct>("conv1", {.in = 3, .out = 64})). Throws Error on
  // a name used twice.
  template <class M>
  M& add(std::string name, typename M::Options options = {}) {
    auto module = std::make_unique<M>(std::move(options));
    M& reference = *module;
    add_child(std::move(name), std::move(module));
    return reference;
  }

  // Registers a tensor and returns the same handle; a parameter requires its gradient. Throws Error
  // on a name used twice.
  Tensor add_parameter(std::string name, Tensor initial);
  Tensor add_buffer(std::string name, Tensor initial);

 private:
  void check_new_name(const std::string& name) const;
  void add_child(std::string name, std::unique_ptr<Module> module);

  Children children_;
  std::vector<NamedTensor> parameters_;
  std::vector<NamedTensor> buffers_;
  const Module* parent_ = nullptr;
  std::string name_;
  bool training_ = true;
};

}  // namespace octet

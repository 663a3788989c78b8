#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/dtype.h"
#include "base/error.h"
#include "base/shape.h"
#include "kernels/qspec.h"

namespace octet {

struct Node;  // autograd/node.h

// Handle to contiguous data in row-major order, with an optional gradient and optional quantization
// parameters. Images are [N, H, W, C], convolution weights [O, KH, KW, I]. Copies share the data;
// `clone` copies it. No strides, no views but `reshape`. Handles may be read from several threads;
// writing needs the caller's own order.
class Tensor {
 public:
  Tensor() = default;  // undefined: defined() is false

  static Tensor empty(Shape shape, DType dtype = DType::kF32);  // not initialized
  static Tensor zeros(Shape shape, DType dtype = DType::kF32);
  static Tensor full(Shape shape, float value);
  // Throws Error unless values.size() == shape.numel().
  static Tensor from(const std::vector<float>& values, Shape shape);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  std::int64_t dim(int axis) const { return shape()[axis]; }
  int rank() const { return shape().rank(); }
  std::int64_t numel() const;
  DType dtype() const;
  std::size_t size_bytes() const;

  // The elements. T must match dtype(): float, std::int32_t, std::int64_t, std::int8_t or
  // std::uint8_t; throws otherwise.
  template <class T = float>
  const T* data() const;
  template <class T = float>
  T* mutable_data();
  std::span<const std::byte> bytes() const;
  std::span<std::byte> mutable_bytes();

  // The single element of an F32 tensor.
  float item() const;

  // The same data under another shape with as many elements; qparams pass on. Not differentiable:
  // see ops/flatten.h.
  Tensor reshape(Shape shape) const;
  // A copy of data and qparams; no gradient, no history.
  Tensor clone() const;
  // The same data without history: a new handle that needs no gradient.
  Tensor detach() const;
  // Copies the elements of `source`, which has the same shape and dtype.
  void copy_from(const Tensor& source);

  // Set when the elements are float32 *codes* (the twin, docs/quantization.md): real = scale *
  // (code - zero_point).
  const std::optional<QParams>& qparams() const;
  Tensor& set_qparams(std::optional<QParams> qparams);

  // Autograd. A leaf with requires_grad collects its gradient in grad(); a result of an op has a
  // grad_fn.
  bool requires_grad() const;
  Tensor& set_requires_grad(bool on);
  bool needs_grad() const;  // requires_grad() or has a grad_fn
  Tensor grad() const;      // undefined until backward has reached it
  void set_grad(Tensor grad);
  const std::shared_ptr<Node>& grad_fn() const;
  void set_grad_fn(std::shared_ptr<Node> node);

  // Whether another handle, of this tensor or of its data, lives. For the engine, which may write
  // to a gradient that nobody else can see.
  bool is_shared() const;

  // Identity of the tensor (not of its data): equal for copies of one handle.
  const void* id() const { return impl_.get(); }

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace octet

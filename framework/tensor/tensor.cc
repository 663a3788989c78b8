#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "tensor/buffer_pool.h"

namespace octet {

struct Tensor::Impl {
  Shape shape;
  DType dtype = DType::kF32;
  std::shared_ptr<std::byte> data;
  std::optional<QParams> qparams;
  bool requires_grad = false;
  Tensor grad;
  std::shared_ptr<Node> grad_fn;
};

namespace {

template <class Impl>
void check_defined(const std::shared_ptr<Impl>& impl) {
  OCTET_CHECK(impl != nullptr, "[tensor] used before it was given a value");
}

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::kI32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::kI64;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::kI8;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::kU8;
}

}  // namespace

Tensor Tensor::empty(Shape shape, DType dtype) {
  std::size_t bytes = 0;
  OCTET_CHECK(
      !__builtin_mul_overflow(static_cast<std::size_t>(shape.numel()), size_of(dtype), &bytes),
      "[tensor] a tensor of shape ", shape, " fits no memory");
  Tensor t;
  t.impl_ = std::make_shared<Impl>();
  t.impl_->data = allocate_block(bytes);
  t.impl_->shape = std::move(shape);
  t.impl_->dtype = dtype;
  return t;
}

Tensor Tensor::zeros(Shape shape, DType dtype) {
  Tensor t = empty(std::move(shape), dtype);
  std::memset(t.impl_->data.get(), 0, t.size_bytes());
  return t;
}

Tensor Tensor::full(Shape shape, float value) {
  Tensor t = empty(std::move(shape));
  std::fill_n(t.mutable_data(), t.numel(), value);
  return t;
}

Tensor Tensor::from(const std::vector<float>& values, Shape shape) {
  Tensor t = empty(std::move(shape));
  OCTET_CHECK(static_cast<std::int64_t>(values.size()) == t.numel(), "[tensor] ", values.size(),
              " values do not fill shape ", t.shape());
  std::copy(values.begin(), values.end(), t.mutable_data());
  return t;
}

const Shape& Tensor::shape() const {
  check_defined(impl_);
  return impl_->shape;
}

std::int64_t Tensor::numel() const { return shape().numel(); }

DType Tensor::dtype() const {
  check_defined(impl_);
  return impl_->dtype;
}

std::size_t Tensor::size_bytes() const {
  return static_cast<std::size_t>(numel()) * size_of(dtype());
}

template <class T>
const T* Tensor::data() const {
  OCTET_CHECK(dtype() == dtype_of<T>(), "[tensor] holds ", name_of(dtype()), ", not ",
              name_of(dtype_of<T>()));
  return reinterpret_cast<const T*>(impl_->data.get());
}

template <class T>
T* Tensor::mutable_data() {
  return const_cast<T*>(data<T>());
}

#define OCTET_INSTANTIATE(T)                 \
  template const T* Tensor::data<T>() const; \
  template T* Tensor::mutable_data<T>();
OCTET_INSTANTIATE(float)
OCTET_INSTANTIATE(std::int32_t)
OCTET_INSTANTIATE(std::int64_t)
OCTET_INSTANTIATE(std::int8_t)
OCTET_INSTANTIATE(std::uint8_t)
#undef OCTET_INSTANTIATE

std::span<const std::byte> Tensor::bytes() const {
  const std::size_t size = size_bytes();  // throws on an undefined tensor
  return {impl_->data.get(), size};
}

std::span<std::byte> Tensor::mutable_bytes() {
  const std::size_t size = size_bytes();
  return {impl_->data.get(), size};
}

float Tensor::item() const {
  OCTET_CHECK(numel() == 1, "[tensor] item() needs one element, got shape ", shape());
  return *data();
}

Tensor Tensor::reshape(Shape shape) const {
  OCTET_CHECK(shape.numel() == numel(), "[reshape] ", this->shape(), " does not fill ", shape);
  Tensor t = detach();
  t.impl_->shape = std::move(shape);
  return t;
}

Tensor Tensor::clone() const {
  Tensor t = empty(shape(), dtype());
  std::memcpy(t.impl_->data.get(), impl_->data.get(), size_bytes());
  t.impl_->qparams = impl_->qparams;
  return t;
}

Tensor Tensor::detach() const {
  Tensor t;
  t.impl_ = std::make_shared<Impl>();
  t.impl_->shape = shape();
  t.impl_->dtype = impl_->dtype;
  t.impl_->data = impl_->data;
  t.impl_->qparams = impl_->qparams;
  return t;
}

void Tensor::copy_from(const Tensor& source) {
  OCTET_CHECK(source.shape() == shape() && source.dtype() == dtype(), "[tensor] cannot copy ",
              name_of(source.dtype()), " ", source.shape(), " into ", name_of(dtype()), " ",
              shape());
  std::memcpy(impl_->data.get(), source.impl_->data.get(), size_bytes());
}

const std::optional<QParams>& Tensor::qparams() const {
  check_defined(impl_);
  return impl_->qparams;
}

Tensor& Tensor::set_qparams(std::optional<QParams> qparams) {
  check_defined(impl_);
  impl_->qparams = qparams;
  return *this;
}

bool Tensor::is_shared() const {
  check_defined(impl_);
  return impl_.use_count() > 1 || impl_->data.use_count() > 1;
}

bool Tensor::requires_grad() const { return defined() && impl_->requires_grad; }

Tensor& Tensor::set_requires_grad(bool on) {
  OCTET_CHECK(!on || dtype() == DType::kF32, "[tensor] only F32 can have a gradient, not ",
              name_of(dtype()));
  impl_->requires_grad = on;
  return *this;
}

bool Tensor::needs_grad() const {
  return defined() && (impl_->requires_grad || impl_->grad_fn != nullptr);
}

Tensor Tensor::grad() const {
  check_defined(impl_);
  return impl_->grad;
}

void Tensor::set_grad(Tensor grad) {
  OCTET_CHECK(!grad.defined() || grad.shape() == shape(), "[autograd] gradient ", grad.shape(),
              " does not fit tensor ", shape());
  impl_->grad = std::move(grad);
}

const std::shared_ptr<Node>& Tensor::grad_fn() const {
  check_defined(impl_);
  return impl_->grad_fn;
}

void Tensor::set_grad_fn(std::shared_ptr<Node> node) {
  check_defined(impl_);
  impl_->grad_fn = std::move(node);
}

}  // namespace octet

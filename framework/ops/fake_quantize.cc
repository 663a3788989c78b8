#include "ops/fake_quantize.h"

#include <cmath>
#include <memory>
#include <utility>

#include "autograd/node.h"
#include "ops/elementwise.h"

namespace octet {
namespace {

struct FakeQuantizeBackward final : Node {
  Tensor passes;  // u8 of the input's shape: 1 where the code was not clamped

  const char* name() const override { return "FakeQuantizeBackward"; }

  std::vector<Tensor> backward(const Tensor& grad_output) override {
    Tensor grad = Tensor::empty(passes.shape());
    const float* g = grad_output.data();
    const std::uint8_t* pass = passes.data<std::uint8_t>();
    float* into = grad.mutable_data();
    for_each_element(passes.numel(), [=](std::int64_t i) {
      const float gradient = g[i];  // read in any case, or the loop would have a branch
      into[i] = pass[i] != 0 ? gradient : 0.0f;
    });
    return {grad};
  }
};

// y = dequantize(quantize(x)) over [begin, end), and the straight-through mask where one is asked
// for. `code` repeats quantize_one before its clamp: same expression, same bits.
void fake_quantize(const float* x, float* y, std::uint8_t* pass, std::int64_t begin,
                   std::int64_t end, QParams q, QRange range) {
  const float inv_scale = 1.0f / q.scale, zero_point = static_cast<float>(q.zero_point);
  const float low = static_cast<float>(range.quant_min), high = static_cast<float>(range.quant_max);
  for (std::int64_t i = begin; i < end; ++i) {
    y[i] = dequantize_one(quantize_one(x[i], inv_scale, q.zero_point, range), q);
  }
  if (pass == nullptr) return;
  for (std::int64_t i = begin; i < end; ++i) {
    const float code = std::floor(x[i] * inv_scale + 0.5f) + zero_point;
    pass[i] = static_cast<std::uint8_t>((code >= low) & (code <= high));
  }
}

void check_qparams(const char* op, QParams q, QRange range) {
  OCTET_CHECK(range.quant_min < range.quant_max, "[", op, "] expects quant_min < quant_max, got ",
              range.quant_min, " and ", range.quant_max);
  OCTET_CHECK(std::isnormal(q.scale) && q.scale > 0.0f && std::isnormal(1.0f / q.scale), "[", op,
              "] expects a positive, normal scale, got ", q.scale);
  OCTET_CHECK(q.zero_point >= range.quant_min && q.zero_point <= range.quant_max, "[", op,
              "] expects a zero_point in [", range.quant_min, ", ", range.quant_max, "], got ",
              q.zero_point);
}

void record(Tensor& y, const std::vector<Tensor>& inputs, Tensor passes) {
  auto node = std::make_shared<FakeQuantizeBackward>();
  node->passes = std::move(passes);
  attach(y, inputs, std::move(node));
}

}  // namespace

Tensor fake_quantize_per_tensor_affine(const Tensor& x, QParams qparams, QRange range) {
  check_values("fake_quantize_per_tensor_affine", x);
  check_qparams("fake_quantize_per_tensor_affine", qparams, range);
  const bool recording = should_record({x});
  Tensor y = Tensor::empty(x.shape());
  Tensor passes = recording ? Tensor::empty(x.shape(), DType::kU8) : Tensor();
  const float* from = x.data();
  float* into = y.mutable_data();
  std::uint8_t* pass = recording ? passes.mutable_data<std::uint8_t>() : nullptr;
  const std::int64_t count = x.numel();
  parallel_for((count + kChunk - 1) / kChunk, [=](std::int64_t chunk) {
    fake_quantize(from, into, pass, chunk * kChunk, std::min(count, (chunk + 1) * kChunk), qparams,
                  range);
  });
  if (recording) record(y, {x}, std::move(passes));
  return y;
}

Tensor fake_quantize_per_channel_symmetric(const Tensor& weight, const Tensor& scale,
                                           QRange range) {
  const char* op = "fake_quantize_per_channel_symmetric";
  check_values(op, weight);
  check_values(op, scale);
  OCTET_CHECK(weight.rank() >= 1 && scale.shape() == Shape{weight.dim(0)}, "[", op,
              "] expects weight [O, ...] and scale [O], got ", weight.shape(), " and ",
              scale.shape());
  const std::int64_t channels = weight.dim(0);
  for (std::int64_t o = 0; o < channels; ++o) check_qparams(op, {scale.data()[o], 0}, range);
  const bool recording = should_record({weight});
  Tensor y = Tensor::empty(weight.shape());
  Tensor passes = recording ? Tensor::empty(weight.shape(), DType::kU8) : Tensor();
  const float *from = weight.data(), *scales = scale.data();
  float* into = y.mutable_data();
  std::uint8_t* pass = recording ? passes.mutable_data<std::uint8_t>() : nullptr;
  const std::int64_t size = channels > 0 ? weight.numel() / channels : 0;
  parallel_for(channels, [=](std::int64_t o) {
    fake_quantize(from, into, pass, o * size, (o + 1) * size, {scales[o], 0}, range);
  });
  if (recording) record(y, {weight}, std::move(passes));
  return y;
}

}  // namespace octet

#include "nn/pool.h"

#include "base/parallel.h"
#include "nn/integer_add.h"
#include "nn/trace.h"

namespace octet {
namespace {

// eq. (13) on codes, with plain loops over int32: sum (q - Z_x) over each window, requantized to 8
// bits.
//   x: [N, H, W, C] codes      returns [N, OH, OW, C] codes
Tensor avg_pool2d_codes(const Tensor& x, const ir::AvgPool2d& op, QParams output) {
  const std::int64_t h = x.dim(1), w = x.dim(2), channels = x.dim(3);
  const std::int64_t oh = (h + 2 * op.padding - op.kernel_h) / op.stride + 1;
  const std::int64_t ow = (w + 2 * op.padding - op.kernel_w) / op.stride + 1;
  OCTET_CHECK(h + 2 * op.padding >= op.kernel_h && w + 2 * op.padding >= op.kernel_w,
              "pools windows of ", op.kernel_h, " x ", op.kernel_w, ", got shape ", x.shape());
  const std::int32_t zero_point = x.qparams()->zero_point;
  Tensor y = Tensor::empty({x.dim(0), oh, ow, channels});
  const float* code = x.data();
  float* result = y.mutable_data();
  parallel_for(x.dim(0) * oh * ow, [&](std::int64_t i) {
    const std::int64_t n = i / (oh * ow), top = i / ow % oh * op.stride - op.padding,
                       left = i % ow * op.stride - op.padding;
    for (std::int64_t c = 0; c < channels; ++c) {
      std::int32_t acc = 0;
      for (std::int64_t r = std::max<std::int64_t>(top, 0); r < std::min(h, top + op.kernel_h);
           ++r) {
        for (std::int64_t s = std::max<std::int64_t>(left, 0); s < std::min(w, left + op.kernel_w);
             ++s) {
          acc += static_cast<std::int32_t>(code[((n * h + r) * w + s) * channels + c]) - zero_point;
        }
      }
      result[i * channels + c] = static_cast<float>(
          requantize_one(acc, op.requant, output.zero_point, kActivationRange.quant_min,
                         kActivationRange.quant_max));
    }
  });
  y.set_qparams(output);
  return y;
}

Requant average_requant(QParams x, QParams y, std::int64_t pixels) {
  return make_requant(average_ratio(x.scale, y.scale, pixels));
}

ir::AvgPool2d window_op(const Pool2dOptions& o, QParams x, QParams y) {
  return {.kernel_h = o.kernel,
          .kernel_w = o.kernel,
          .stride = o.stride,
          .padding = o.padding,
          .requant = average_requant(x, y, o.kernel * o.kernel)};
}

ir::AvgPool2d global_op(std::int64_t h, std::int64_t w, QParams x, QParams y) {
  return {.kernel_h = h,
          .kernel_w = w,
          .stride = 1,
          .padding = 0,
          .requant = average_requant(x, y, h * w)};
}

// ir::AvgPool2d gives codes of 8 bits. With fewer, codes beyond the last one are cut off by a QAdd
// of one operand behind it, which at ratio 1 is nothing but its clamp.
constexpr char kWide[] =
    "wide";  // the suffix of the pool's node where the QAdd has the leaf's name

bool needs_clamp(QRange range) { return range != kActivationRange; }

ir::QAdd clamp_op(QParams y, QRange range) { return make_integer_add(y, {0.0f, 0}, y, range); }

Tensor average_codes(const Leaf& leaf, const Tensor& x, const ir::AvgPool2d& op,
                     const FakeQuantize& output) {
  const QParams qparams = output.qparams();
  const Tensor y = avg_pool2d_codes(x, op, qparams);
  if (!needs_clamp(output.range())) return y;
  trace_inner(leaf, kWide, y);
  return add_codes(y, Tensor(), clamp_op(qparams, output.range()), qparams);
}

ir::ValueId lower_average(Lowering& lowering, const ir::AvgPool2d& op, const FakeQuantize& output) {
  if (!needs_clamp(output.range())) return lowering.emit(op);
  const QParams qparams = output.qparams();
  lowering.inputs[0] =
      lowering.emit_inner(kWide, op, {lowering.inputs[0]}, lowering.output_shape(), qparams);
  return lowering.emit(clamp_op(qparams, output.range()));
}

}  // namespace

Tensor MaxPool2d::forward(Inputs x) { return max_pool2d(x[0], o_); }

ir::ValueId MaxPool2d::lower(Lowering& lowering) const {
  return lowering.emit(
      ir::MaxPool2d{.kernel = o_.kernel, .stride = o_.stride, .padding = o_.padding});
}

void AvgPool2d::prepare(const QConfig& qconfig) {
  activation_fake_quant_ =
      &add_fake_quantize("activation_fake_quant", TensorRole::kActivation, qconfig.activation);
}

Tensor AvgPool2d::forward(Inputs x) {
  const Tensor y = avg_pool2d(x[0], o_);
  return prepared() ? (*activation_fake_quant_)(y) : y;
}

Tensor AvgPool2d::forward_codes(Inputs x) const {
  const QParams y = activation_fake_quant_->qparams();
  return average_codes(*this, x[0], window_op(o_, *x[0].qparams(), y), *activation_fake_quant_);
}

ir::ValueId AvgPool2d::lower(Lowering& lowering) const {
  const QParams y = activation_fake_quant_->qparams();
  return lower_average(lowering, window_op(o_, lowering.input_qparams(), y),
                       *activation_fake_quant_);
}

void GlobalAvgPool::prepare(const QConfig& qconfig) {
  activation_fake_quant_ =
      &add_fake_quantize("activation_fake_quant", TensorRole::kActivation, qconfig.activation);
}

Tensor GlobalAvgPool::forward(Inputs x) {
  const Tensor y = global_avg_pool2d(x[0]);
  return prepared() ? (*activation_fake_quant_)(y) : y;
}

Tensor GlobalAvgPool::forward_codes(Inputs x) const {
  const QParams y = activation_fake_quant_->qparams();
  OCTET_CHECK(x[0].rank() == 4, "expects an image [N, H, W, C], got shape ", x[0].shape());
  return average_codes(*this, x[0], global_op(x[0].dim(1), x[0].dim(2), *x[0].qparams(), y),
                       *activation_fake_quant_);
}

ir::ValueId GlobalAvgPool::lower(Lowering& lowering) const {
  const Shape& x = lowering.graph.value(lowering.inputs[0]).shape;
  const QParams y = activation_fake_quant_->qparams();
  return lower_average(lowering, global_op(x[0], x[1], lowering.input_qparams(), y),
                       *activation_fake_quant_);
}

}  // namespace octet

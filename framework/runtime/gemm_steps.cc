#include "runtime/gemm_steps.h"

#include <algorithm>

#include "runtime/im2col.h"

namespace octet {
namespace {

// Bytes of patches that a tile of output pixels may take: they stay in the L1/L2 cache between
// im2col and the product.
constexpr std::int64_t kTileBytes = 32 * 1024;
constexpr std::int64_t kMinTileRows = 16;

// Rows per item where rows are read in place. Neighbouring items of a thread run as one product.
constexpr std::int64_t kDirectRows = 16;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// What the three kinds of steps below share.
struct Gemm {
  Gemm(const PackedModel& model, std::size_t index)
      : kernel(*model.kernel),
        weights(model.weights[index]),
        input(model.graph.nodes[index].inputs[0]),
        output(model.graph.nodes[index].output),
        x(model.graph.value(input)),
        y(model.graph.value(output)) {}

  // The product of m rows with the weights of one group, to codes.
  void to_codes(std::int64_t group, std::int64_t m, const std::uint8_t* a, std::ptrdiff_t a_stride,
                std::uint8_t* c) const noexcept {
    kernels::GemmArgs args = weights.gemm_args(group);
    args.m = m;
    args.a = a;
    args.a_stride = a_stride;
    args.epilogue.zero_point = y.qparams.zero_point;
    args.epilogue.clamp_min = clamp_min;
    args.epilogue.clamp_max = clamp_max;
    kernel.gemm_u8(args, c, weights.groups * weights.n);
  }

  const kernels::GemmKernel& kernel;
  const PackedWeights& weights;
  ir::ValueId input, output;
  const ir::Value &x, &y;
  std::int32_t clamp_min = 0, clamp_max = 255;
};

// A convolution whose patches are written out first. An item is a tile of output pixels of one
// image.
class PatchesStep final : public Step {
 public:
  PatchesStep(Gemm gemm, const ir::QConv2d& op) : gemm_(gemm) {
    const Shape &x = gemm.x.shape, &y = gemm.y.shape;
    shape_ = {x[0],       x[1], x[2], gemm.weights.kernel_h, gemm.weights.kernel_w, op.stride,
              op.padding, y[0], y[1]};
    pixels_ = y[0] * y[1];
    tile_ = std::min(pixels_, std::max(kMinTileRows, kTileBytes / gemm.weights.k));
    tiles_ = divide_up(pixels_, tile_);
  }

  std::int64_t items(std::int64_t batch) const noexcept override { return batch * tiles_; }

  std::size_t scratch_bytes() const noexcept override {
    return static_cast<std::size_t>(tile_ * gemm_.weights.k);
  }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte* scratch) const noexcept override {
    auto* patches = reinterpret_cast<std::uint8_t*>(scratch);
    const PackedWeights& weights = gemm_.weights;
    const std::int64_t in_size = shape_.h * shape_.w * shape_.c, out_c = gemm_.y.shape[2];
    const std::int64_t channels = shape_.c / weights.groups;
    const auto zero_point = static_cast<std::uint8_t>(gemm_.x.qparams.zero_point);
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t image = item / tiles_, first = item % tiles_ * tile_;
      const std::int64_t last = std::min(first + tile_, pixels_);
      const std::uint8_t* x = memory.codes(gemm_.input) + image * in_size;
      std::uint8_t* y = memory.codes_to_write(gemm_.output) + (image * pixels_ + first) * out_c;
      for (std::int64_t g = 0; g < weights.groups; ++g) {
        im2col(shape_, x, first, last, g * channels, channels, zero_point, patches);
        gemm_.to_codes(g, last - first, patches, weights.k, y + g * weights.n);
      }
    }
  }

 private:
  const Gemm gemm_;
  ConvShape shape_;
  std::int64_t pixels_ = 0, tile_ = 0, tiles_ = 0;
};

// Rows that lie in the input as they are: QLinear, and QConv2d 1x1 with stride 1 and no padding. An
// item is kDirectRows rows.
class RowsStep final : public Step {
 public:
  explicit RowsStep(Gemm gemm)
      : gemm_(gemm), rows_(gemm.y.shape.rank() == 3 ? gemm.y.shape[0] * gemm.y.shape[1] : 1) {}

  std::int64_t items(std::int64_t batch) const noexcept override {
    return divide_up(batch * rows_, kDirectRows);
  }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte*) const noexcept override {
    const PackedWeights& weights = gemm_.weights;
    const std::int64_t first = begin * kDirectRows;
    const std::int64_t last = std::min(end * kDirectRows, memory.batch * rows_);
    if (first >= last) return;
    const std::int64_t in_c = weights.groups * weights.k, out_c = weights.groups * weights.n;
    const std::uint8_t* x = memory.codes(gemm_.input) + first * in_c;
    std::uint8_t* y = memory.codes_to_write(gemm_.output) + first * out_c;
    for (std::int64_t g = 0; g < weights.groups; ++g) {
      gemm_.to_codes(g, last - first, x + g * weights.k, in_c, y + g * weights.n);
    }
  }

 private:
  const Gemm gemm_;
  const std::int64_t rows_;  // per image
};

// The last QLinear: accumulators on the common scale of the logits, eq. (10). An item is
// kDirectRows images.
class LogitsStep final : public Step {
 public:
  explicit LogitsStep(Gemm gemm) : gemm_(gemm) {}

  std::int64_t items(std::int64_t batch) const noexcept override {
    return divide_up(batch, kDirectRows);
  }

  void run(const Memory& memory, std::int64_t begin, std::int64_t end,
           std::byte*) const noexcept override {
    const std::int64_t first = begin * kDirectRows;
    const std::int64_t last = std::min(end * kDirectRows, memory.batch);
    if (first >= last) return;
    const std::int64_t n = gemm_.weights.n, k = gemm_.weights.k;
    kernels::GemmArgs args = gemm_.weights.gemm_args(0);
    args.m = last - first;
    args.a = memory.codes(gemm_.input) + first * k;
    args.a_stride = k;
    auto* logits = reinterpret_cast<std::int32_t*>(memory.write(gemm_.output)) + first * n;
    gemm_.kernel.gemm_s32(args, logits, n);
    for (std::int64_t i = 0; i < args.m; ++i, logits += n) {
      for (std::int64_t j = 0; j < n; ++j) {
        logits[j] =
            requantize_to_s32(logits[j], {args.epilogue.multiplier[j], args.epilogue.shift[j]});
      }
    }
  }

 private:
  const Gemm gemm_;
};

template <class Op>
Gemm clamped(const PackedModel& model, std::size_t index, const Op& op) {
  Gemm gemm(model, index);
  gemm.clamp_min = op.clamp_min;
  gemm.clamp_max = op.clamp_max;
  return gemm;
}

}  // namespace

std::unique_ptr<Step> make_conv_step(const PackedModel& model, std::size_t node_index) {
  const auto& op = std::get<ir::QConv2d>(model.graph.nodes[node_index].op);
  const Gemm gemm = clamped(model, node_index, op);
  const bool in_place =
      gemm.weights.kernel_h == 1 && gemm.weights.kernel_w == 1 && op.stride == 1 && op.padding == 0;
  if (in_place) return std::make_unique<RowsStep>(gemm);
  return std::make_unique<PatchesStep>(gemm, op);
}

std::unique_ptr<Step> make_linear_step(const PackedModel& model, std::size_t node_index) {
  const Gemm gemm =
      clamped(model, node_index, std::get<ir::QLinear>(model.graph.nodes[node_index].op));
  if (gemm.y.dtype == DType::kI32) return std::make_unique<LogitsStep>(gemm);
  return std::make_unique<RowsStep>(gemm);
}

}  // namespace octet

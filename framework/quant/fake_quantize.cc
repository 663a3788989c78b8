#include "quant/fake_quantize.h"

#include <algorithm>
#include <cmath>

#include "autograd/node.h"
#include "ops/fake_quantize.h"

namespace octet {
namespace {

void set_flag(Tensor flag, bool on) { *flag.mutable_data<std::uint8_t>() = on ? 1 : 0; }

Tensor make_flag() {
  Tensor flag = Tensor::empty({1}, DType::kU8);
  set_flag(flag, true);
  return flag;
}

struct StraightThroughBackward final : Node {
  const char* name() const override { return "straight_through"; }
  std::vector<Tensor> backward(const Tensor& grad_output) override { return {grad_output}; }
};

}  // namespace

FakeQuantize::FakeQuantize(TensorRole role, const TensorQConfig& config, std::int64_t channels)
    : role_(role), config_(config), range_(quant_range(role, config.bits)) {
  const bool weight = role == TensorRole::kWeight;
  OCTET_CHECK(
      config.qscheme != (weight ? QScheme::kPerTensorAffine : QScheme::kPerChannelSymmetric),
      weight ? "weights" : "activations", " cannot be quantized ", name_of(config.qscheme),
      "; use ", weight ? "per_channel_symmetric" : "per_tensor_affine");
  OCTET_CHECK(!per_channel() || channels > 0, "per_channel_symmetric needs channels");
  observer_ = make_observer(config, per_channel() ? channels : 0);
  const std::int64_t size = observer_->min_val().numel();
  scale_ = Tensor::full({size}, 1.0f);
  zero_point_ = Tensor::zeros({size}, DType::kI32);
  observer_enabled_ = make_flag();
  fake_quant_enabled_ = make_flag();
}

Tensor FakeQuantize::operator()(const Tensor& x) {
  if (observer_enabled()) {
    observer_->observe(x);
    update_qparams();
  }
  if (!fake_quant_enabled()) return x;
  check_calibrated();
  if (per_channel()) return fake_quantize_per_channel_symmetric(x, scale_, range_);
  return fake_quantize_per_tensor_affine(x, qparams(), range_);
}

// eqs. (3), (4) on the observed ranges.
void FakeQuantize::update_qparams() {
  float* scale = scale_.mutable_data();
  std::int32_t* zero_point = zero_point_.mutable_data<std::int32_t>();
  if (config_.qscheme == QScheme::kPerTensorAffine) {
    const ValueRange values = observer_->quantized_range(0);
    const QParams q = choose_qparams(values.min, values.max, range_);
    scale[0] = q.scale;
    zero_point[0] = q.zero_point;
    return;
  }
  // Activations are unsigned: real 0 stands in the middle of the codes.
  const std::int32_t middle = (range_.quant_min + range_.quant_max + 1) / 2;
  for (std::int64_t c = 0; c < scale_.numel(); ++c) {
    const ValueRange values = observer_->quantized_range(c);
    const float magnitude = std::max(std::fabs(values.min), std::fabs(values.max));
    scale[c] = choose_symmetric_scale(magnitude, {range_.quant_min, range_.quant_max - middle});
    zero_point[c] = middle;
  }
}

void FakeQuantize::enable_observer(bool on) { set_flag(observer_enabled_, on); }
void FakeQuantize::enable_fake_quant(bool on) { set_flag(fake_quant_enabled_, on); }
bool FakeQuantize::observer_enabled() const { return *observer_enabled_.data<std::uint8_t>() != 0; }
bool FakeQuantize::fake_quant_enabled() const {
  return *fake_quant_enabled_.data<std::uint8_t>() != 0;
}

void FakeQuantize::check_calibrated() const {
  OCTET_CHECK(calibrated(), "was never calibrated: its ",
              role_ == TensorRole::kWeight ? "weight" : "output",
              " has no observed range; calibrate the model or train it with observers on");
}

QParams FakeQuantize::qparams() const {
  check_calibrated();
  OCTET_CHECK(!per_channel(), "a tensor with one scale per channel has no single scale");
  return {*scale_.data(), *zero_point_.data<std::int32_t>()};
}

std::vector<float> FakeQuantize::channel_scales(std::int64_t channels) const {
  check_calibrated();
  if (!per_channel()) return std::vector<float>(static_cast<std::size_t>(channels), *scale_.data());
  OCTET_CHECK(scale_.numel() == channels, "has scales for ", scale_.numel(), " channels, not ",
              channels);
  return {scale_.data(), scale_.data() + channels};
}

std::vector<std::pair<std::string, Tensor>> FakeQuantize::buffers() const {
  std::vector<std::pair<std::string, Tensor>> all = {{"scale", scale_},
                                                     {"zero_point", zero_point_}};
  for (auto& buffer : observer_->buffers()) all.push_back(std::move(buffer));
  all.emplace_back("observer_enabled", observer_enabled_);
  all.emplace_back("fake_quant_enabled", fake_quant_enabled_);
  return all;
}

Tensor straight_through(const Tensor& value, const Tensor& path) {
  OCTET_CHECK(value.shape() == path.shape(), "[straight_through] value ", value.shape(),
              " and path ", path.shape(), " differ in shape");
  Tensor y = value.detach();
  if (should_record({path})) attach(y, {path}, std::make_shared<StraightThroughBackward>());
  return y;
}

}  // namespace octet

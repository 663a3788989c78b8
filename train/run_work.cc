#include "train/run_work.h"

#include <algorithm>
#include <utility>

namespace octet {
namespace {

// What an image costs, in images trained in float: between what LeNet and ResNet-20 take with two
// threads. On a given model a ratio may be wrong by a factor of two.
constexpr double kQatStep = 1.25;
constexpr double kReestimated = 0.4;  // forward, with batch statistics
constexpr double kCalibrated = 0.5;   // the same, with observers
constexpr double kFloatForm = 0.25, kTwinForm = 0.5, kIntegerForm = 0.15;  // evaluated

using Method = QuantizeConfig::Method;

}  // namespace

RunWork::RunWork(const Config& config, RunSizes sizes, std::int64_t stop_after)
    : sizes_(std::move(sizes)),
      float_epochs_(config.train.epochs),
      qat_epochs_(config.quantize.method == Method::kQat ? config.quantize.epochs : 0),
      float_left_(static_cast<std::size_t>(float_epochs_) + 1) {
  const auto images = static_cast<double>(sizes_.images);
  const auto images_of = [&](std::int64_t batches) {
    return std::min(images, static_cast<double>(batches * config.data.batch_size));
  };
  for (std::size_t epoch = float_left_.size() - 1; epoch-- > 0;) {
    const double area = sizes_.areas.empty() ? 1.0 : sizes_.areas[epoch];
    float_left_[epoch] = float_left_[epoch + 1] + area * images +
                         kFloatForm * static_cast<double>(sizes_.validation_images);
  }
  if (float_epochs_ > 0) {
    between_ += kReestimated * images_of(config.train.bn_reestimate_batches);
  }
  evaluation_ = kFloatForm * static_cast<double>(sizes_.test_images);
  if (config.quantize.method != Method::kNone) {
    between_ += kCalibrated * images_of(config.quantize.calibration_batches);
    evaluation_ += (kTwinForm + kIntegerForm) * static_cast<double>(sizes_.test_images);
  }
  const std::int64_t steps = (float_epochs_ + qat_epochs_) * sizes_.batches;
  if (stop_after > 0 && stop_after <= steps) left_at_stop_ = left_of_run(after(stop_after));
}

double RunWork::left(const RunState& state) const {
  return std::max(0.0, left_of_run(state) - left_at_stop_);
}

double RunWork::left_of_run(const RunState& state) const {
  if (state.phase == "done") return evaluation_;
  const auto images = static_cast<double>(sizes_.images);
  const double done =  // of the running epoch
      images * static_cast<double>(state.batch) / static_cast<double>(sizes_.batches);
  const double qat_epoch =
      kQatStep * images + kTwinForm * static_cast<double>(sizes_.validation_images);
  if (state.phase == "quantize") {
    return static_cast<double>(qat_epochs_ - state.epoch) * qat_epoch - kQatStep * done +
           evaluation_;
  }
  const auto epoch = static_cast<std::size_t>(state.epoch);
  const double area = epoch < sizes_.areas.size() ? sizes_.areas[epoch] : 1.0;
  return float_left_[epoch] - area * done + between_ +
         static_cast<double>(qat_epochs_) * qat_epoch + evaluation_;
}

RunState RunWork::after(std::int64_t total_steps) const {
  RunState state;
  const std::int64_t float_steps = float_epochs_ * sizes_.batches;
  const bool in_qat = total_steps > float_steps;
  if (in_qat) state.phase = "quantize";
  const std::int64_t steps = in_qat ? total_steps - float_steps : total_steps;
  state.epoch = steps / sizes_.batches;
  state.batch = steps % sizes_.batches;
  return state;
}

}  // namespace octet

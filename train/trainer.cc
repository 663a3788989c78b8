#include "train/trainer.h"

#include <chrono>
#include <cmath>

#include "autograd/node.h"
#include "base/float_environment.h"
#include "eval/evaluate_int8.h"
#include "nn/dropout.h"
#include "ops/cross_entropy.h"
#include "optim/grad_norm.h"
#include "train/divergence.h"
#include "train/signals.h"

namespace octet {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  const std::int64_t classes = logits.dim(1);
  std::int64_t correct = 0;
  for (std::int64_t n = 0; n < logits.dim(0); ++n) {
    correct +=
        argmax(logits.data() + n * classes, classes) == labels.data<std::int32_t>()[n] ? 1 : 0;
  }
  return correct;
}

}  // namespace

Trainer::Trainer(Module& model, Optimizer& optimizer, WeightEma* ema, const DataLoader& loader,
                 RunState& state, Progress& progress, double save_seconds,
                 std::function<void()> save)
    : model_(model),
      parameters_(model.named_parameters()),
      optimizer_(optimizer),
      ema_(ema),
      loader_(loader),
      state_(state),
      progress_(progress),
      save_seconds_(save_seconds),
      save_(std::move(save)) {}

FitResult Trainer::fit(const Phase& phase) {
  const FloatEnvironment environment;
  const std::int64_t batches = loader_.batches();
  Clock::time_point last_save = Clock::now();
  images_ = 0;
  work_at_begin_ = phase.work_left(state_);
  progress_.begin_phase();
  if (stop_signal() != 0) {  // it came between the phases
    save_();
    return FitResult::kStopped;
  }
  while (state_.epoch < phase.epochs) {
    phase.before_epoch(state_.epoch);
    model_.train();
    while (state_.batch < batches) {
      const Clock::time_point start = Clock::now();
      step(phase, loader_.batch(state_.epoch, state_.batch));
      state_.train_seconds += seconds_since(start);
      progress_.update(progress_state(phase));
      if (stop_signal() != 0 || state_.total_steps == phase.stop_after) {
        save_();
        return FitResult::kStopped;
      }
      if (seconds_since(last_save) >= save_seconds_) {
        save_();
        last_save = Clock::now();
      }
    }
    phase.after_epoch(state_.epoch);
    ++state_.epoch;
    state_.batch = 0;
    state_.loss_sum = 0.0;
    state_.correct = 0;
    state_.images = 0;
    if (stop_signal() != 0) {  // it came while the epoch was validated
      save_();
      return FitResult::kStopped;
    }
  }
  return FitResult::kFinished;
}

void Trainer::step(const Phase& phase, const Batch& batch) {
  const AutocastGuard autocast(phase.precision);
  const float lr = phase.schedule.lr_at(state_.step);
  const std::int64_t count = batch.labels.dim(0);
  optimizer_.zero_grad();
  // The masks are a function of the position in the run: a resumed run draws the same.
  const std::int64_t first_index = state_.batch * loader_.options().batch_size;
  set_dropout_position(model_, {.seed = loader_.options().seed,
                                .epoch = static_cast<std::uint32_t>(state_.epoch),
                                .first_index = static_cast<std::uint32_t>(first_index)});
  const Tensor logits = model_(batch.images);
  const Tensor loss = cross_entropy(logits, batch.labels, phase.label_smoothing);
  const double value = loss.item();
  if (!std::isfinite(value)) {
    throw Error(
        explain_divergence(model_, batch.images, phase.name, state_.epoch, state_.step, lr));
  }
  backward(loss);
  const double norm = grad_norm(parameters_);
  if (!std::isfinite(norm)) {
    throw Error(
        explain_divergence(model_, batch.images, phase.name, state_.epoch, state_.step, lr));
  }
  optimizer_.step(lr, phase.clip_grad_norm > 0.0f ? clip_factor(norm, phase.clip_grad_norm) : 1.0f);
  if (ema_ != nullptr) ema_->update();

  state_.loss_sum += value * static_cast<double>(count);
  state_.correct += count_correct(logits, batch.labels);
  state_.images += count;
  state_.train_images += count;
  images_ += count;
  ++state_.batch;
  ++state_.step;
  ++state_.total_steps;
}

ProgressState Trainer::progress_state(const Phase& phase) const {
  ProgressState s;
  s.phase = phase.name;
  s.epoch = state_.epoch;
  s.epochs = phase.epochs;
  s.step = state_.batch;
  s.steps = loader_.batches();
  s.images = images_;
  s.work_left = phase.work_left(state_);
  s.work_done = work_at_begin_ - s.work_left;
  s.loss = state_.mean_loss();
  s.top1 = state_.top1();
  s.lr = phase.schedule.lr_at(state_.step);
  return s;
}

}  // namespace octet

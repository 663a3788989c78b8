#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "data/loader.h"
#include "nn/module.h"
#include "ops/autocast.h"
#include "optim/lr_schedule.h"
#include "optim/optimizer.h"
#include "optim/weight_ema.h"
#include "train/progress.h"
#include "train/run_state.h"

namespace octet {

// Everything that one phase of training needs. The float phase and the QAT phase run the same loop.
struct Phase {
  std::string name;  // "float" or "qat"
  std::int64_t epochs = 0;
  LrSchedule schedule{{}};
  Precision precision = Precision::kFp32;  // of the products, forward and backward
  float label_smoothing = 0.0f;
  float clip_grad_norm = 0.0f;  // 0: off
  std::int64_t stop_after = 0;  // steps of the whole run, RunState::total_steps; 0: off
  // What is left of the run (train/run_work.h), for the display of the time that is left.
  std::function<double(const RunState&)> work_left = [](const RunState&) { return 0.0; };
  // Called before an epoch's first step: QAT freezes observers and batch-norm statistics here.
  std::function<void(std::int64_t epoch)> before_epoch = [](std::int64_t) {};
  // Called after an epoch's last step, before the checkpoint: validation, metrics.
  std::function<void(std::int64_t epoch)> after_epoch = [](std::int64_t) {};
};

enum class FitResult { kFinished, kStopped };

// The training loop. It owns nothing: the model, the optimizer, the loader and the position in the
// run are the caller's, so that a checkpoint holds exactly them and a resumed run continues to the
// same bits.
class Trainer {
 public:
  // `ema` may be null. `save` writes a checkpoint; it is called every `save_seconds` and when it
  // stops before the end.
  Trainer(Module& model, Optimizer& optimizer, WeightEma* ema, const DataLoader& loader,
          RunState& state, Progress& progress, double save_seconds, std::function<void()> save);

  // Trains from state.epoch and state.batch to the end of the phase. kStopped: a signal came or
  // phase.stop_after steps are made, and all is saved. Throws Error when the loss or a gradient is
  // not finite; the message names the first layer that is.
  FitResult fit(const Phase& phase);

 private:
  void step(const Phase& phase, const Batch& batch);
  ProgressState progress_state(const Phase& phase) const;

  Module& model_;
  const std::vector<NamedTensor> parameters_;
  Optimizer& optimizer_;
  WeightEma* ema_;
  const DataLoader& loader_;
  RunState& state_;
  Progress& progress_;
  double save_seconds_;
  std::function<void()> save_;
  // For the display, since the call of fit: images trained, and the work that was left then.
  std::int64_t images_ = 0;
  double work_at_begin_ = 0.0;
};

}  // namespace octet

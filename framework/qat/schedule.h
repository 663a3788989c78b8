#pragma once

#include "nn/leaf.h"

namespace octet::qat {

// Whether the ranges, and with them scales and zero points, follow the data.
void enable_observers(Module& model, bool on);
// Whether tensors are rounded to their codes. Off, a prepared model computes in float.
void enable_fake_quant(Module& model, bool on);
// Whether batch norm normalizes with the running statistics also in training.
void freeze_bn_stats(Module& model, bool on);

// Epochs count from the start of QAT; one beyond the last epoch means never.
struct Schedule {
  int freeze_observer_epoch = 0;  // the first epoch with fixed scales
  int freeze_bn_epoch = 0;        // the first epoch with fixed batch-norm statistics
};

// Sets observers and batch norm as they are in `epoch`: a function of the epoch alone, so that a
// resumed run continues as the uninterrupted one. Fake quantization is on.
void apply_schedule(Module& model, int epoch, const Schedule& schedule);

// Calibration (PTQ): while it lives, the model is in evaluation mode, observers watch, and nothing
// is rounded: run float images through the model, without gradients. Afterwards observers are off,
// fake quantization is on, and the mode (training or evaluation) is as before.
class CalibrationGuard {
 public:
  explicit CalibrationGuard(Module& model);
  ~CalibrationGuard();
  CalibrationGuard(const CalibrationGuard&) = delete;
  CalibrationGuard& operator=(const CalibrationGuard&) = delete;

 private:
  Module& model_;
  bool was_training_;
};

}  // namespace octet::qat

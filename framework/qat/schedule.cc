#include "qat/schedule.h"

namespace octet::qat {

void enable_observers(Module& model, bool on) {
  for (const auto& [name, leaf] : named_leaves(model)) {
    for (FakeQuantize* f : leaf->fake_quantizers()) f->enable_observer(on);
  }
}

void enable_fake_quant(Module& model, bool on) {
  for (const auto& [name, leaf] : named_leaves(model)) {
    for (FakeQuantize* f : leaf->fake_quantizers()) f->enable_fake_quant(on);
  }
}

void freeze_bn_stats(Module& model, bool on) {
  for (const auto& [name, leaf] : named_leaves(model)) leaf->freeze_bn_stats(on);
}

void apply_schedule(Module& model, int epoch, const Schedule& schedule) {
  enable_fake_quant(model, true);
  enable_observers(model, epoch < schedule.freeze_observer_epoch);
  freeze_bn_stats(model, epoch >= schedule.freeze_bn_epoch);
}

CalibrationGuard::CalibrationGuard(Module& model)
    : model_(model), was_training_(model.is_training()) {
  for (const auto& [name, leaf] : named_leaves(model)) {
    OCTET_CHECK(leaf->prepared(), "[", name, "] cannot be calibrated: prepare the model first");
  }
  model.eval();
  enable_observers(model, true);
  enable_fake_quant(model, false);
}

CalibrationGuard::~CalibrationGuard() {
  enable_observers(model_, false);
  enable_fake_quant(model_, true);
  model_.train(was_training_);
}

}  // namespace octet::qat

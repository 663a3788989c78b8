#include "train/phase_schedule.h"

#include <cmath>

namespace octet {

LrSchedule make_schedule(TrainConfig::Schedule kind, double lr, double warmup_epochs,
                         std::int64_t epochs, std::int64_t batches) {
  LrScheduleOptions options;
  switch (kind) {
    case TrainConfig::Schedule::kConstant:
      options.kind = LrScheduleKind::kConstant;
      break;
    case TrainConfig::Schedule::kCosine:
      options.kind = LrScheduleKind::kCosine;
      break;
    case TrainConfig::Schedule::kOneCycle:
      options.kind = LrScheduleKind::kOneCycle;
      break;
  }
  options.lr = static_cast<float>(lr);
  options.total_steps = epochs * batches;
  options.warmup_steps = std::llround(warmup_epochs * static_cast<double>(batches));
  return LrSchedule(options);
}

}  // namespace octet

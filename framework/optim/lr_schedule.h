#pragma once

#include <cstdint>

namespace octet {

enum class LrScheduleKind { kConstant, kCosine, kOneCycle };

struct LrScheduleOptions {
  LrScheduleKind kind = LrScheduleKind::kConstant;
  float lr = 0.1f;                // the highest learning rate
  std::int64_t total_steps = 1;   // of the whole run, warm-up included
  std::int64_t warmup_steps = 0;  // the learning rate rises linearly: lr (step + 1) / warmup_steps
};

// The learning rate as a pure function of the step, so that a resumed run continues exactly. After
// the warm-up, with s of S steps done and c(t) = (1 + cos(pi t)) / 2:
//   constant   lr
//   cosine     lr c(s / S): towards 0           Loshchilov and Hutter 2017 (arXiv:1608.03983), eq.
//   (5) one_cycle  from lr / 25 up to lr within 30% of the steps, then down to lr / 250,000, both
//   along
//              c; PyTorch's OneCycleLR with its defaults         Smith and Topin 2018
//              (arXiv:1708.07120)
// Own cosine (base/fast_math.h): the same bits with every C library. Immutable.
class LrSchedule {
 public:
  // Throws UsageError unless lr > 0, total_steps >= 1 and 0 <= warmup_steps <= total_steps.
  explicit LrSchedule(LrScheduleOptions options);

  // The learning rate of step `step`, counted from 0; beyond the last step, that of the last.
  float lr_at(std::int64_t step) const;

 private:
  LrScheduleOptions options_;
};

}  // namespace octet

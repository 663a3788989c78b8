#pragma once

#include <cstdint>
#include <vector>

#include "io/config.h"
#include "train/run_state.h"

namespace octet {

// The sizes that decide how much a run computes.
struct RunSizes {
  std::int64_t batches = 0;            // per epoch
  std::int64_t images = 0;             // trained per epoch
  std::int64_t validation_images = 0;  // 0: none
  std::int64_t test_images = 0;
  // Of the images of each epoch of the float phase, as a share of the full one. Empty: all 1.
  std::vector<double> areas;
};

// How much of a run is left, for the time that is left: training in float, batch norm's
// re-estimation, calibration, QAT, validation after each epoch and the evaluation of every form at
// the end. The unit is one image trained in float at full size; how many of it an image of the
// other kinds costs are estimates (run_work.cc). What is running is measured as it runs, in
// the same unit, so the estimates decide only about what has not begun.
class RunWork {
 public:
  // With stop_after > 0 the run ends after so many steps in all.
  RunWork(const Config& config, RunSizes sizes, std::int64_t stop_after = 0);

  // From this position (phase, epoch, batch) on.
  double left(const RunState& state) const;

 private:
  double left_of_run(const RunState& state) const;
  // Where the run stands after so many steps, of both phases.
  RunState after(std::int64_t total_steps) const;

  RunSizes sizes_;
  std::int64_t float_epochs_, qat_epochs_;
  std::vector<double> float_left_;  // from the begin of each epoch to the end of the float phase
  double between_ = 0.0;            // the phases: re-estimation and calibration
  double evaluation_ = 0.0;
  double left_at_stop_ = 0.0;
};

}  // namespace octet

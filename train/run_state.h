#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace octet {

// Where a run stands: saved in each checkpoint, so that a resumed run continues as if nothing had
// happened.
struct RunState {
  std::string phase = "float";  // "float", "quantize", "done"
  std::int64_t epoch = 0;       // of the phase
  std::int64_t batch = 0;       // of the epoch: the next to train
  std::int64_t step = 0;        // of the phase

  // Sums over the running epoch, for its line in metrics.jsonl.
  double loss_sum = 0.0;  // of the batches' mean losses, times their images
  std::int64_t correct = 0;
  std::int64_t images = 0;

  std::int64_t total_steps = 0;  // over all phases
  double train_seconds = 0.0;    // spent in training steps, over all phases and resumes
  std::int64_t train_images = 0;
  double wall_seconds = 0.0;  // of earlier calls of the program
  std::uint64_t metrics_bytes = 0;
  std::vector<std::int64_t> resumed_at_steps;  // total_steps at each --resume

  double mean_loss() const { return images > 0 ? loss_sum / static_cast<double>(images) : 0.0; }
  double top1() const {
    return images > 0 ? 100.0 * static_cast<double>(correct) / static_cast<double>(images) : 0.0;
  }
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RunState, phase, epoch, batch, step, loss_sum, correct, images,
                                   total_steps, train_seconds, train_images, wall_seconds,
                                   metrics_bytes, resumed_at_steps)

}  // namespace octet

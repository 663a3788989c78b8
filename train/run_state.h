#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
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
  std::int64_t metrics_bytes = 0;
  std::vector<std::int64_t> resumed_at_steps;  // total_steps at each --resume

  double mean_loss() const { return images > 0 ? loss_sum / static_cast<double>(images) : 0.0; }
  double top1() const {
    return images > 0 ? 100.0 * static_cast<double>(correct) / static_cast<double>(images) : 0.0;
  }
};

// The JSON object of a checkpoint (its metadata octet.state), and back. Reading takes an object
// with exactly these fields, whole numbers that are not negative, and finite ones; whatever else it
// gets it throws Error that starts with `source` and names the field.
std::string to_text(const RunState& state);
RunState parse_run_state(std::string_view text, const std::string& source);

// The course of a whole run, which config and training set decide.
struct RunPlan {
  std::int64_t float_epochs = 0;
  std::int64_t qat_epochs = 0;
  bool qat = false;          // whether there is a phase "quantize"
  std::int64_t batches = 0;  // of an epoch
  std::int64_t batch_size = 0;
  std::int64_t epoch_images = 0;  // that an epoch trains
};

// Throws Error that starts with `source`, names the field, and says what it must be, unless a run
// of this plan passes through this state.
void check_run_state(const RunState& state, const RunPlan& plan, const std::string& source);

}  // namespace octet

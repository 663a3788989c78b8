// What `train --resume` reads of a run folder: the newest checkpoint that is valid, where the run
// stands, and the tensors; and whether it all belongs to the config and the training set. What is
// accepted is a state that can be saved and read again, and fills the model.
#include "io/checkpoint.h"
#include "io/run_lock.h"
#include "io/weights.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/signed_file.h"
#include "tests/fuzz/tiny_run.h"
#include "train/check_request.h"
#include "train/check_tensors.h"

using namespace octet;

namespace {

void check_state(const RunState& state, const fuzz::TinyRun& run) {
  const RunState again = parse_run_state(to_text(state), "written");
  check_run_state(again, run.plan, "written");
  fuzz::require(to_text(again) == to_text(state), "a state that is written reads as the same");
  fuzz::require(state.total_steps <= run.steps() && state.top1() >= 0.0 && state.top1() <= 100.0,
                "a state is one of the run's");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fuzz::TinyRun run;
  const std::filesystem::path folder = fuzz::empty_folder();
  return fuzz::refuse_or_accept([&] {
    // The size of the file chooses what lies beside it.
    const std::vector<std::byte> file = fuzz::with_right_digest(fuzz::to_bytes(data, size));
    if (size % 4 != 3) fuzz::write_bytes(folder / kCheckpointName, file);
    if (size % 4 >= 2) fuzz::write_bytes(folder / kPreviousCheckpointName, file);
    if (size % 4 == 1) fuzz::write_bytes(folder / kPreviousCheckpointName, run.checkpoint());
    const RunLock lock(folder.string());
    const auto loaded = resume_checkpoint(lock);
    fuzz::require(loaded.has_value(), "a folder with a checkpoint has one, or is refused");
    const Checkpoint& checkpoint = loaded->checkpoint;
    const RunState state = parse_run_state(checkpoint.state, "fuzz");
    check_run_state(state, run.plan, "fuzz");
    fuzz::must_not_throw([&] { check_state(state, run); });
    for (const auto& [name, tensors] : checkpoint.groups) check_training_tensors(tensors, "fuzz");
    copy_weights(checkpoint.groups.at("model"), run.model(), "fuzz");
    check_resume("fuzz", checkpoint, run.config, run.train);
  });
}

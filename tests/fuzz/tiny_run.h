#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/in_memory.h"
#include "file/read_file.h"
#include "io/checkpoint.h"
#include "io/config.h"
#include "tests/file/temp_folder.h"
#include "train/run_state.h"

namespace octet::fuzz {

// A run as small as one can be: what resume_fuzz.cc goes on with, and what its seeds were saved of.
struct TinyRun {
  Config config = parse_config("train: {epochs: 2}\nquantize: {method: qat, epochs: 1}\n", "tiny");
  InMemoryDataset train{Shape{1, 2, 1}, {1, 2, 3, 4}, {0, 1}, {"a", "b"}};
  RunPlan plan{.float_epochs = 2,
               .qat_epochs = 1,
               .qat = true,
               .batches = 3,
               .batch_size = 4,
               .epoch_images = 10};
  // In the middle of the second epoch.
  RunState state{.epoch = 1,
                 .batch = 1,
                 .step = 4,
                 .loss_sum = 2.5,
                 .correct = 3,
                 .images = 4,
                 .total_steps = 4,
                 .train_seconds = 0.5,
                 .train_images = 14,
                 .wall_seconds = 1.0,
                 .metrics_bytes = 100,
                 .resumed_at_steps = {3}};

  std::int64_t steps() const { return (plan.float_epochs + plan.qat_epochs) * plan.batches; }

  std::vector<NamedTensor> model() const {
    return {{"fc.weight", Tensor::full({2, 2}, 0.5f)}, {"fc.bias", Tensor::full({2}, 0.0f)}};
  }

  // The file of its checkpoint.
  std::vector<std::byte> checkpoint() const {
    const TempFolder folder;
    save_checkpoint(RunLock(folder.path()), {.groups = {{"model", model()}, {"optimizer", model()}},
                                             .state = to_text(state),
                                             .config = to_yaml(config),
                                             .dataset_sha256 = train.sha256()});
    return read_file(folder / kCheckpointName);
  }
};

}  // namespace octet::fuzz

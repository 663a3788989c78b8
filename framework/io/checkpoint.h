#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/run_lock.h"
#include "nn/module.h"

// Checkpoints: everything that a run needs to continue to the same bits, in one verified file
// (docs/model_file.md, "Checkpoint").
namespace octet {

struct Checkpoint {
  // Tensors by group. "model" holds all parameters and buffers (batch norm's statistics, scales,
  // observers) under their names in the model; other groups are the caller's ("optimizer", "ema").
  std::map<std::string, std::vector<NamedTensor>> groups;
  std::string state;           // JSON of the caller: phase, epoch, step, seconds, resumed_at_steps
  std::string config;          // the resolved configuration as YAML
  std::string dataset_sha256;  // Dataset::sha256 of the training data
};

// Files in a run folder.
inline constexpr const char* kCheckpointName = "checkpoint.safetensors";
inline constexpr const char* kPreviousCheckpointName = "checkpoint.prev.safetensors";
inline constexpr const char* kBrokenCheckpointName = "checkpoint.broken.safetensors";

// Saves into the locked run folder so that a kill or a power cut at any instant leaves a valid
// checkpoint, the old one or the new one. keep: 1 replaces the old one, 2 keeps it as
// checkpoint.prev.safetensors. Throws Error (full disk, ...); the old checkpoint is then in place.
void save_checkpoint(const RunLock& lock, const Checkpoint& checkpoint, int keep = 2);

// One file, completely verified: layout, version, and the SHA-256 of its content. Throws Error that
// names the file and the reason.
Checkpoint read_checkpoint(const std::string& path);
Checkpoint parse_checkpoint(std::vector<std::byte> bytes, const std::string& source_name);

struct LoadedCheckpoint {
  Checkpoint checkpoint;
  std::string path;
  std::string warning;  // not empty if it is the previous one: what is wrong with the newer
};

// The newest valid checkpoint of a run folder, without touching anything; none if the folder has no
// checkpoint at all. Throws Error if there are checkpoints, but no valid one.
std::optional<LoadedCheckpoint> load_checkpoint(const Folder& folder);
std::optional<LoadedCheckpoint> load_checkpoint(const std::string& folder);

// The same for a run that goes on writing: a checkpoint that is not valid is set aside as
// checkpoint.broken.safetensors, so that the next save cannot put it in the place of the good one.
std::optional<LoadedCheckpoint> resume_checkpoint(const RunLock& lock);

}  // namespace octet

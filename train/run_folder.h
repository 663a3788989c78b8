#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "io/run_lock.h"

namespace octet {

// The folder of one run: config.yaml meta.json metrics.jsonl summary.json checkpoint.safetensors
// model_fp32.safetensors model_int8.safetensors. It appears under its name, locked and durable,
// with its first files already inside: made aside under a name that nobody can know before, then
// renamed.
//
// `out` empty: runs/<name>-001, or the next free number. Otherwise `out` itself, which must not
// exist. Throws UsageError if it exists, Error if it cannot be written. What killed programs have
// left of the making of theirs is removed.
//   files: the first files, by name; config.yaml among them
RunLock create_run_folder(const std::filesystem::path& runs, const std::string& name,
                          const std::filesystem::path& out,
                          const std::map<std::string, std::vector<std::byte>>& files,
                          FileSystem& file_system = posix_file_system());

// Writes a JSON file of the run folder. Throws Error if it cannot be written.
void write_json(const RunLock& lock, const std::string& name, const nlohmann::ordered_json& json);

// What this run ran on: version, commit, compiler, flags, CPU, instruction set, threads.
nlohmann::ordered_json describe_environment(int threads);

}  // namespace octet

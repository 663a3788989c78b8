#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace octet {

// The folder of one run: config.yaml meta.json metrics.jsonl summary.json checkpoint.safetensors
// model_fp32.safetensors model_int8.safetensors. It appears under its name with config.yaml already
// inside (created aside, then renamed).
//
// `out` empty: runs/<name>-001, or the next free number. Otherwise `out` itself, which must not
// exist. Throws UsageError if it exists, Error if it cannot be written. Returns the folder.
std::filesystem::path create_run_folder(const std::filesystem::path& runs, const std::string& name,
                                        const std::filesystem::path& out,
                                        const std::string& config_yaml);

// Writes a JSON file of the run folder atomically. Throws Error if it cannot be written.
void write_json(const std::filesystem::path& path, const nlohmann::ordered_json& json);

// What this run ran on: version, commit, compiler, flags, CPU, instruction set, threads.
nlohmann::ordered_json describe_environment(int threads);

}  // namespace octet

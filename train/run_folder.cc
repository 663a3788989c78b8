#include "train/run_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/cpu.h"
#include "base/error.h"
#include "file/atomic_write.h"
#include "file/printable.h"
#include "octet_version.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

// rename(2) replaces an empty folder, so a name that is taken must be seen before; two programs
// that start at the same moment meet at mkdir, which only one of them wins.
bool claim(const fs::path& staging, const fs::path& target) {
  if (renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0)
    return true;
  if (errno == EEXIST) return false;
  throw Error(message("cannot create the run folder ", target, ": ", std::strerror(errno)));
}

}  // namespace

fs::path create_run_folder(const fs::path& runs, const std::string& name, const fs::path& out,
                           const std::string& config_yaml) {
  const fs::path parent =
      out.empty() ? runs : (out.has_parent_path() ? out.parent_path() : fs::path("."));
  if (!out.empty() && fs::exists(fs::symlink_status(out))) {
    throw UsageError(message(
        "--out ", out, " exists; name a new folder, or continue that run with --resume ", out));
  }
  if (out.empty() && name.find('/') != std::string::npos) {
    throw UsageError(message("run.name \"", printable(name), "\" has a '/'; run folders are ",
                             runs.string(), "/<name>-001, and --out names any other"));
  }
  std::error_code error;
  fs::create_directories(parent, error);
  OCTET_CHECK(!error, "cannot create ", parent, ": ", error.message());
  const fs::path staging = parent / (".new-run-" + std::to_string(getpid()));
  fs::create_directory(staging, error);
  OCTET_CHECK(!error, "cannot create a folder in ", parent, ": ", error.message());
  try {
    std::ofstream config(staging / "config.yaml");
    config << config_yaml;
    config.close();
    OCTET_CHECK(config.good(), "cannot write config.yaml in ", parent, ": ", std::strerror(errno));
    if (!out.empty()) {
      if (!claim(staging, out)) throw UsageError(message("--out ", out, " exists"));
      return out;
    }
    for (int number = 1; number < 1000000; ++number) {
      char suffix[16];
      std::snprintf(suffix, sizeof(suffix), "-%03d", number);
      const fs::path target = runs / (name + suffix);
      if (claim(staging, target)) return target;
    }
  } catch (...) {
    fs::remove_all(staging, error);
    throw;
  }
  throw Error(message("no free run number left in ", runs));
}

void write_json(const fs::path& path, const nlohmann::ordered_json& json) {
  atomic_write(path, json.dump(2) + "\n");
}

nlohmann::ordered_json describe_environment(int threads) {
  nlohmann::ordered_json meta;
  meta["octet_version"] = kVersion;
  meta["commit"] = kCommit;
  meta["compiler"] = kCompiler;
  meta["build_type"] = kBuildType;
  meta["cpu"] = cpu_model_name();
  meta["isa"] = std::string(name_of(process_isa()));
  nlohmann::ordered_json supported = nlohmann::ordered_json::array();
  for (const Isa isa : supported_isas()) supported.push_back(std::string(name_of(isa)));
  meta["supported_isas"] = supported;
  meta["threads"] = threads;
  return meta;
}

}  // namespace octet

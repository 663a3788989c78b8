#include "train/run_folder.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>

#include "base/cpu.h"
#include "base/error.h"
#include "eval/run_files.h"
#include "file/printable.h"
#include "file/shell.h"
#include "octet_version.h"
#include "train/metrics_log.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

// A run folder in the making: this and 16 hexadecimal digits. Whoever makes it holds its lock.
constexpr std::string_view kStaging = ".new-run-";

std::string staging_name() {
  std::random_device random;
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%08x%08x", random(), random());
  return std::string(kStaging) + digits;
}

bool is_staging_name(const std::string& name) {
  return name.size() == kStaging.size() + 16 && name.rfind(kStaging, 0) == 0 &&
         name.find_first_not_of("0123456789abcdef", kStaging.size()) == std::string::npos;
}

// Removes a folder in the making and the files that create_run_folder puts there; with anything
// else inside it stays.
void remove_staging(const Folder& parent, const std::string& name, const Folder& staging) {
  FileSystem& file_system = parent.file_system();
  staging.remove_stale_temporaries();
  for (const char* file : {kConfigFile, kMetricsFile, kOnnxFile}) {
    file_system.remove(staging.fd(), file);
  }
  file_system.remove_folder(parent.fd(), name);
}

// The kernel frees the lock of a killed process: a folder in the making that can be locked has
// nobody any more. Others' folders, and what is no folder, stay.
void remove_left_overs(const Folder& parent) {
  for (const std::string& name : parent.names()) {
    if (!is_staging_name(name)) continue;
    try {
      const Folder staging(parent, name);
      struct stat status {};
      if (::fstat(staging.fd(), &status) != 0 || status.st_uid != ::geteuid()) continue;
      if (::flock(staging.fd(), LOCK_EX | LOCK_NB) == 0) remove_staging(parent, name, staging);
    } catch (const Error&) {  // gone meanwhile, or no folder
    }
  }
}

// A new folder, locked. A name that is taken is somebody else's and never used. Whoever removes
// left-overs may be faster than our lock: then there is another.
RunLock make_staging(const Folder& parent) {
  constexpr int kAttempts = 10;
  for (int attempt = 1;; ++attempt) {
    const std::string name = staging_name();
    if (parent.file_system().make_folder(parent.fd(), name) != 0) {
      OCTET_CHECK(errno == EEXIST && attempt < kAttempts, "cannot create a folder in \"",
                  printable(parent.path()), "\": ", std::strerror(errno));
      continue;
    }
    try {
      RunLock lock(Folder(parent, name));
      struct stat status {};
      OCTET_CHECK(::fstat(lock.files().fd(), &status) == 0 && status.st_uid == ::geteuid(),
                  "the folder \"", printable(lock.folder()), "\" was replaced by another user");
      lock.check_in_place();
      return lock;
    } catch (const Error&) {
      parent.file_system().remove_folder(parent.fd(), name);
      if (attempt == kAttempts) throw;
    }
  }
}

// Two programs that start at the same moment meet here: only one of them gets the name.
bool claim(RunLock& lock, const Folder& parent, const std::string& target) {
  const std::string staging = fs::path(lock.folder()).filename().string();
  if (parent.file_system().rename_new(parent.fd(), staging, target) == 0) {
    lock.set_path(parent.path_of(target));
    parent.sync();
    return true;
  }
  if (errno == EEXIST) return false;
  throw Error(message("cannot create the run folder \"", printable(parent.path_of(target)),
                      "\": ", std::strerror(errno)));
}

void claim_any(RunLock& lock, const Folder& parent, const std::string& name) {
  for (int number = 1; number < 1000000; ++number) {
    char suffix[16];
    std::snprintf(suffix, sizeof(suffix), "-%03d", number);
    if (claim(lock, parent, name + suffix)) return;
  }
  throw Error(message("no free run number left in ", parent.path()));
}

}  // namespace

RunLock create_run_folder(const fs::path& runs, const std::string& name, const fs::path& out,
                          const std::map<std::string, std::vector<std::byte>>& files,
                          FileSystem& file_system) {
  const fs::path target = out.has_filename() ? out : out.parent_path();  // "a/" is "a"
  if (!target.empty() && fs::exists(fs::symlink_status(target))) {
    throw UsageError(message("--out ", out,
                             " exists; name a new folder, or continue that run with --resume ",
                             shell_quoted(out.string())));
  }
  if (target.empty() && name.find('/') != std::string::npos) {
    throw UsageError(message("run.name \"", printable(name), "\" has a '/'; run folders are ",
                             runs.string(), "/<name>-001, and --out names any other"));
  }
  const std::string above = target.empty() ? runs.string() : target.parent_path().string();
  create_folders(above, file_system);
  const Folder parent(above, file_system);
  remove_left_overs(parent);
  RunLock lock = make_staging(parent);
  const std::string staging = fs::path(lock.folder()).filename().string();
  try {
    for (const auto& [file, bytes] : files) lock.write(file, bytes);
    if (target.empty()) {
      claim_any(lock, parent, name);
    } else if (!claim(lock, parent, target.filename().string())) {
      throw UsageError(message("--out ", out, " exists"));
    }
  } catch (...) {
    if (fs::path(lock.folder()).filename() == staging) {
      remove_staging(parent, staging, lock.files());
    }
    throw;
  }
  return lock;
}

void write_json(const RunLock& lock, const std::string& name, const nlohmann::ordered_json& json) {
  lock.write(name, json.dump(2) + "\n");
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

#include "eval/load_data.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/in_memory.h"
#include "data/normalize.h"
#include "file/shell.h"
#include "octet_version.h"

namespace octet {
namespace fs = std::filesystem;
namespace {

bool can_be_fetched(const std::string& name) {
  return name == "mnist" || name == "fashion_mnist" || name == "cifar10";
}

// Runs datasets/fetch.sh, its stdout sent to stderr: stdout is for results.
void fetch(const std::string& name, const fs::path& root) {
  const std::string script = octet_home() / "datasets" / "fetch.sh";
  OCTET_CHECK(fs::exists(script), "the dataset ", name, " is not in ", root, " and ", script,
              " is not there to fetch it; set OCTET_HOME to Octet's folder, or data.root to where "
              "the dataset is");
  const pid_t child = fork();
  OCTET_CHECK(child >= 0, "cannot start ", script);
  if (child == 0) {
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execl(script.c_str(), script.c_str(), name.c_str(), "--root", root.c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  OCTET_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the dataset ", name,
              " could not be fetched to ", root, "; if you have its files: ", shell_quoted(script),
              " ", name, " --root ", shell_quoted(root.string()), " --from DIR");
}

}  // namespace

fs::path octet_home() {
  const char* home = std::getenv("OCTET_HOME");
  return home != nullptr && *home != '\0' ? fs::path(home) : fs::path(kSourceDir);
}

fs::path data_root(const std::string& root) {
  const fs::path path(root);
  return path.is_absolute() || fs::exists(path) ? path : octet_home() / path;
}

DatasetSplits load_or_fetch(const DataConfig& data, Splits wanted) {
  const fs::path folder = data_root(data.root);
  if (can_be_fetched(data.name) && !fs::exists(folder / data.name)) fetch(data.name, folder);
  DatasetSplits splits =
      load_dataset(data.name, folder, {.image_shape = data.image_shape, .splits = wanted});
  splits.normalization =
      chosen_normalization(data, splits.test->image_shape()[2], splits.normalization);
  return splits;
}

std::shared_ptr<const Dataset> some_images(std::shared_ptr<const Dataset> images,
                                           const std::string& dataset, std::int64_t count) {
  const std::int64_t size = images->size();
  if (count >= size) return images;
  std::vector<std::int64_t> chosen(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    chosen[static_cast<std::size_t>(i)] = dataset == "image_folder" ? i * size / count : i;
  }
  return std::make_shared<Subset>(std::move(images), std::move(chosen));
}

Normalization chosen_normalization(const DataConfig& data, std::int64_t channels,
                                   const Normalization& otherwise) {
  if (data.mean.empty() && data.std.empty()) return otherwise;
  const auto check = [&](const char* key, const std::vector<double>& values, const char* other) {
    if (values.empty()) {
      throw UsageError(message("data.", key, " is missing: data.", other, " is given, and a ",
                               "normalization needs both"));
    }
    if (static_cast<std::int64_t>(values.size()) != channels) {
      throw UsageError(message("data.", key, " has ", values.size(), " numbers, the images of ",
                               data.name, " have ", channels, " channels; it needs one for each"));
    }
  };
  check("mean", data.mean, "std");
  check("std", data.std, "mean");
  Normalization n;
  for (const double mean : data.mean) n.mean.push_back(static_cast<float>(mean));
  for (const double std : data.std) n.std.push_back(static_cast<float>(std));
  return n;
}

qat::InputEncoding input_encoding(const Normalization& normalization) {
  return {input_qparams(normalization), input_table(normalization)};
}

}  // namespace octet

#include "io/checkpoint.h"

#include <cerrno>
#include <system_error>

#include "base/error.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "io/weights.h"
#include "io/weights_hash.h"

namespace octet {
namespace {

constexpr const char* kVersion = "1";
constexpr const char* kHashKey = "octet.sha256";

// SHA-256 of metadata (without the hash itself) and tensors; docs/model_file.md gives the encoding.
std::string content_sha256(const std::map<std::string, std::string>& metadata,
                           const std::map<std::string, TensorEntry>& tensors) {
  Sha256 hash;
  for (const auto& [key, value] : metadata) {
    if (key == kHashKey) continue;
    const std::string text = message(key, '\n', value.size(), '\n', value, '\n');
    hash.update(std::as_bytes(std::span(text.data(), text.size())));
  }
  for (const auto& [name, entry] : tensors) hash_tensor(hash, entry);
  return hash.hex();
}

}  // namespace

// not fuzzed: it writes
void save_checkpoint(const RunLock& lock, const Checkpoint& checkpoint, int keep) {
  std::map<std::string, TensorEntry> tensors;
  for (const auto& [group, members] : checkpoint.groups) {
    for (const NamedTensor& member : members) {
      OCTET_CHECK(member.name.find('/') == std::string::npos, "tensor \"", printable(member.name),
                  "\": '/' separates groups and cannot be part of a name");
      TensorEntry entry = to_entry(member);
      if (group != "model") entry.name = group + "/" + member.name;
      const std::string name = entry.name;
      OCTET_CHECK(tensors.emplace(name, std::move(entry)).second, "two tensors are named \"",
                  printable(name), "\"");
    }
  }
  std::map<std::string, std::string> metadata = {
      {"format", "pt"},
      {"octet.format", "checkpoint"},
      {"octet.version", kVersion},
      {"octet.state", checkpoint.state},
      {"octet.config", checkpoint.config},
      {"octet.dataset_sha256", checkpoint.dataset_sha256}};
  metadata[kHashKey] = content_sha256(metadata, tensors);

  std::vector<TensorEntry> entries;
  for (const auto& [name, entry] : tensors) entries.push_back(entry);
  lock.write(kCheckpointName, serialize_safetensors(metadata, std::move(entries)),
             keep > 1 ? kPreviousCheckpointName : "");
}

Checkpoint parse_checkpoint(std::vector<std::byte> bytes, const std::string& source_name) {
  const SafetensorsFile file = SafetensorsFile::parse(std::move(bytes), source_name);
  const std::string name = message("\"", printable(source_name), "\"");
  const auto format = file.metadata().find("octet.format");
  OCTET_CHECK(format != file.metadata().end() && format->second == "checkpoint", name,
              " is not a checkpoint");
  OCTET_CHECK(file.metadata_at("octet.version") == kVersion, name, " has checkpoint version ",
              printable(file.metadata_at("octet.version")), "; this program reads version ",
              kVersion);
  std::map<std::string, TensorEntry> tensors;
  for (const TensorEntry& entry : file.tensors()) tensors.emplace(entry.name, entry);
  OCTET_CHECK(content_sha256(file.metadata(), tensors) == file.metadata_at(kHashKey), name,
              " is damaged: its content does not have the SHA-256 that it names");

  Checkpoint checkpoint;
  checkpoint.state = file.metadata_at("octet.state");
  checkpoint.config = file.metadata_at("octet.config");
  checkpoint.dataset_sha256 = file.metadata_at("octet.dataset_sha256");
  for (const auto& [full_name, entry] : tensors) {
    const std::size_t slash = full_name.find('/');
    NamedTensor tensor = to_tensor(entry);
    if (slash != std::string::npos) tensor.name = full_name.substr(slash + 1);
    const std::string group = slash == std::string::npos ? "model" : full_name.substr(0, slash);
    checkpoint.groups[group].push_back(std::move(tensor));
  }
  OCTET_CHECK(checkpoint.groups.count("model") > 0, name, " has no tensors of a model");
  return checkpoint;
}

Checkpoint read_checkpoint(const std::string& path) {
  return parse_checkpoint(read_file(path), path);
}

std::optional<LoadedCheckpoint> load_checkpoint(const std::string& folder) {
  return load_checkpoint(Folder(folder));
}

std::optional<LoadedCheckpoint> load_checkpoint(const Folder& folder) {
  const std::string current = folder.path_of(kCheckpointName);
  const std::string previous = folder.path_of(kPreviousCheckpointName);
  const bool has_current = folder.has(kCheckpointName);
  const bool has_previous = folder.has(kPreviousCheckpointName);
  if (!has_current && !has_previous) return std::nullopt;

  std::string warning = message("\"", printable(current), "\" is missing");
  if (has_current) {
    try {
      return LoadedCheckpoint{parse_checkpoint(folder.read(kCheckpointName), current), current, ""};
    } catch (const Error& error) {
      OCTET_CHECK(has_previous, error.what(), "; there is no previous checkpoint");
      warning = error.what();
    }
  }
  try {
    return LoadedCheckpoint{parse_checkpoint(folder.read(kPreviousCheckpointName), previous),
                            previous,
                            message(warning, "; going back to \"", printable(previous), "\"")};
  } catch (const Error& error) {
    throw Error(message("no valid checkpoint: ", warning, "; ", error.what()));
  }
}

std::optional<LoadedCheckpoint> resume_checkpoint(const RunLock& lock) {
  const Folder& folder = lock.files();
  std::optional<LoadedCheckpoint> loaded = load_checkpoint(folder);
  if (loaded && loaded->path != folder.path_of(kCheckpointName) && folder.has(kCheckpointName)) {
    const int result =
        folder.file_system().rename(folder.fd(), kCheckpointName, kBrokenCheckpointName);
    OCTET_CHECK(result == 0, "cannot set \"", printable(folder.path_of(kCheckpointName)),
                "\" aside: ", std::generic_category().message(errno));
    folder.sync();
  }
  return loaded;
}

}  // namespace octet

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/float_environment.h"
#include "base/nearest.h"
#include "file/printable.h"
#include "file/read_file.h"
#include "io/config.h"
#include "io/config_fields.h"
#include "io/config_read.h"
#include "io/yaml_tree.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBaseKey = "_base_";
constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{256} << 10;
constexpr int kMaxFiles = 100;
constexpr std::ptrdiff_t kMaxKeyDepth = 16;

// The names of the configs in a folder, sorted.
std::vector<std::string> configs_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// "; did you mean "lenet_qat.yaml"?" for a file that is not there, or "". Neither its folder nor a
// missing ".yaml" counts.
std::string near_config(const std::string& path, const std::string& folder) {
  std::string name = fs::path(path).filename().string();
  if (!name.ends_with(".yaml")) name = fs::path(name).stem().string() + ".yaml";
  const std::string near = nearest_typo(name, configs_in(folder));
  return near.empty() ? "" : "; did you mean \"" + near + "\"?";
}

// Resolves `_base_`. One per load: counts files and knows which ones are being read.
class Loader {
 public:
  explicit Loader(std::string configs_dir = "") : configs_dir_(std::move(configs_dir)) {}

  YamlNode load_file(const std::string& path, const std::string& named_by) {
    if (++files_ > kMaxFiles) {
      throw UsageError(message(named_by, "more than ", kMaxFiles, " files through ", kBaseKey));
    }
    std::error_code error;
    const std::string identity = fs::weakly_canonical(path, error).string();
    if (std::find(open_.begin(), open_.end(), identity) != open_.end()) {
      throw UsageError(
          message(named_by, kBaseKey, " \"", printable(path), "\" leads back to itself"));
    }
    std::string text;
    try {
      text = read_text_file(path, kMaxConfigBytes);
    } catch (const Error& failure) {
      throw UsageError(named_by + failure.what());
    }
    open_.push_back(identity);
    YamlNode root = load_text(text, path);
    open_.pop_back();
    return root;
  }

  YamlNode load_text(const std::string& text, const std::string& source) {
    YamlNode own = parse_yaml(text, printable(source));
    const auto base = std::find_if(own.entries.begin(), own.entries.end(),
                                   [](const auto& entry) { return entry.key == kBaseKey; });
    if (base == own.entries.end()) return own;

    const YamlNode value = std::move(base->value);
    own.entries.erase(base);
    YamlNode root = YamlNode::of(YamlNode::Kind::kMap, own.place);
    for (const YamlNode& item :
         value.kind == YamlNode::Kind::kSequence ? value.items : std::vector{value}) {
      if (item.kind != YamlNode::Kind::kScalar) {
        throw UsageError(message(item.place, ": ", kBaseKey,
                                 " expects a path or a list of paths, got ", item.describe()));
      }
      merge(root, load_file(find_base(source, item), item.place + ": "));
    }
    merge(root, own);
    return root;
  }

 private:
  // Where a base is: beside the file that names it, else in the folder of configs.
  std::string find_base(const std::string& source, const YamlNode& name) const {
    const fs::path beside = (fs::path(source).parent_path() / name.text).lexically_normal();
    std::error_code ignored;
    if (configs_dir_.empty() || fs::exists(beside, ignored) || fs::path(name.text).is_absolute()) {
      return beside.string();
    }
    const fs::path inside = (fs::path(configs_dir_) / name.text).lexically_normal();
    if (fs::exists(inside, ignored)) return inside.string();
    throw UsageError(message(name.place, ": ", kBaseKey, ": there is neither \"",
                             printable(beside.string()), "\" nor \"", printable(inside.string()),
                             "\"", near_config(name.text, configs_dir_)));
  }

  std::string configs_dir_;
  int files_ = 0;
  std::vector<std::string> open_;
};

// "train.lr=0.1" as the tree {train: {lr: 0.1}}.
YamlNode parse_override(const std::string& text) {
  const std::string place = "--set " + printable(text);
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(place + ": expects key=value, such as train.lr=0.1");
  }
  const auto key_end = text.begin() + static_cast<std::ptrdiff_t>(equals);
  if (std::count(text.begin(), key_end, '.') >= kMaxKeyDepth) {
    throw UsageError(message(place, ": the key has more than ", kMaxKeyDepth, " parts"));
  }
  YamlNode node = parse_yaml_value(text.substr(equals + 1), place);
  std::size_t end = equals;
  while (true) {  // from the innermost key outwards
    const std::size_t dot = end == 0 ? std::string::npos : text.rfind('.', end - 1);
    const std::size_t begin = dot == std::string::npos ? 0 : dot + 1;
    YamlNode outer = YamlNode::of(YamlNode::Kind::kMap, place);
    outer.entries.push_back({text.substr(begin, end - begin), place, std::move(node)});
    node = std::move(outer);
    if (begin == 0) return node;
    end = dot;
  }
}

Config finish(YamlNode root, const std::vector<std::string>& overrides) {
  const FloatEnvironment environment;
  if (root.kind == YamlNode::Kind::kNull) root.kind = YamlNode::Kind::kMap;
  for (const std::string& text : overrides) {
    const YamlNode node = parse_override(text);
    merge(root, node);
  }
  return read_config(root);
}

}  // namespace

Config load_config(const std::string& path, const std::vector<std::string>& overrides,
                   const std::string& configs_dir) {
  return finish(Loader(configs_dir).load_file(path, ""), overrides);
}

Config parse_config(const std::string& yaml, const std::string& source_name,
                    const std::vector<std::string>& overrides) {
  return finish(Loader().load_text(yaml, source_name), overrides);
}

// not fuzzed: a path that the user gives; what the file holds is read by load_config
std::string find_config(const std::string& path, const std::string& configs_dir) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  const std::string inside = (fs::path(configs_dir) / path).string();
  if (fs::is_regular_file(inside, ignored)) return inside;

  const std::vector<std::string> names = configs_in(configs_dir);
  throw UsageError(message("there is no config \"", printable(path), "\", nor \"",
                           printable(inside), "\"", near_config(path, configs_dir),
                           names.empty() ? "" : " (" + configs_dir + " has: " + join(names) + ")"));
}

}  // namespace octet

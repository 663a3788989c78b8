#include "io/config_read.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/nearest.h"
#include "file/printable.h"
#include "io/config_fields.h"
#include "io/config_hint.h"

namespace octet {
namespace {

// "; did you mean "x"?" for the unknown key `word` of `section`, or "". First a slip of one letter,
// then the same key in another section, then anything near.
std::string suggestion(const std::string& word, const std::string& section,
                       const std::vector<std::string>& keys) {
  const auto question = [](const std::string& text) {
    return text.empty() ? "" : "; did you mean \"" + text + "\"?";
  };
  const auto with_leaf = [&](const std::string& leaf) {
    std::vector<std::string> found;
    for (const ConfigField& field : config_fields(Config())) {
      const std::size_t dot = field.key.rfind('.');
      if (field.key.substr(dot + 1) == leaf && field.key.substr(0, dot) != section) {
        found.push_back(field.key);
      }
    }
    return join(found, "\" or \"");
  };

  if (const std::string close = nearest_typo(word, keys, 1); !close.empty()) return question(close);
  const std::string ours(our_word(word));
  if (std::find(keys.begin(), keys.end(), ours) != keys.end()) return question(ours);
  if (const std::string elsewhere = with_leaf(word); !elsewhere.empty()) return question(elsewhere);
  if (const std::string near = nearest_typo(word, keys); !near.empty()) return question(near);

  std::vector<std::string> leaves;
  for (const ConfigField& field : config_fields(Config())) {
    leaves.push_back(field.key.substr(field.key.rfind('.') + 1));
  }
  return question(with_leaf(nearest_typo(word, leaves)));
}

// Reads one map into one struct; `path` is its key, "" for the root.
class SectionReader {
 public:
  SectionReader(const YamlNode& node, std::string path) : node_(node), path_(std::move(path)) {}

  template <class Fields, class Section>
  void read(Section& section) {
    if (node_.kind == YamlNode::Kind::kNull) return;
    if (node_.kind != YamlNode::Kind::kMap) {
      throw UsageError(message(node_.place, ": ", path_.empty() ? "the file" : path_,
                               " expects a map of keys, got ", node_.describe()));
    }
    Fields::visit(section, *this);
    for (const YamlNode::Entry& entry : node_.entries) {
      if (std::find(keys_.begin(), keys_.end(), entry.key) != keys_.end()) continue;
      throw UsageError(message(entry.key_place, ": unknown key \"", printable(entry.key), "\"",
                               path_.empty() ? "" : " in " + path_,
                               suggestion(entry.key, path_, keys_), " (keys: ", join(keys_), ")"));
    }
  }

  template <class T>
  void operator()(const char* key, T& field, const Range& range, const char*) {
    if (const YamlNode* node = find(key)) read_value(*node, key, field, range);
  }

  template <class E, std::size_t kCount>
  void one_of(const char* key, E& field, const std::array<E, kCount>& allowed, const char*) {
    if (const YamlNode* node = find(key)) {
      std::vector<std::string> names;
      for (const E value : allowed) names.emplace_back(name_of(value));
      field = allowed[index_of(*node, key, names)];
    }
  }

  template <class Fields, class Section>
  void section(const char* key, Section& section) {
    if (const YamlNode* node = find(key)) {
      SectionReader(*node, join_key(path_, key)).read<Fields>(section);
    }
  }
  template <class Section>
  void section(const char* key, Section& section) {
    this->section<Section, Section>(key, section);
  }

  void layers(const char* key, std::map<std::string, QConfig>& layers, const QConfig& defaults) {
    const YamlNode* node = find(key);
    if (node == nullptr || node->kind == YamlNode::Kind::kNull) return;
    const std::string path = join_key(path_, key);
    if (node->kind != YamlNode::Kind::kMap) {
      throw UsageError(
          message(node->place, ": ", path, " expects a map of layers, got ", node->describe()));
    }
    for (const YamlNode::Entry& entry : node->entries) {
      QConfig& layer = layers.insert_or_assign(entry.key, defaults).first->second;
      SectionReader(entry.value, join_key(path, printable(entry.key))).read<QConfigFields>(layer);
    }
  }

 private:
  const YamlNode* find(const char* key) {
    keys_.emplace_back(key);
    return node_.find(key);
  }

  [[noreturn]] void wrong(const YamlNode& node, const char* key,
                          const std::string& expected) const {
    throw UsageError(message(node.place, ": ", join_key(path_, key), " expects ", expected,
                             ", got ", node.describe()));
  }

  // The text of a scalar; `expected` says what else would be wrong.
  const std::string& plain(const YamlNode& node, const char* key, const char* expected) const {
    if (node.kind != YamlNode::Kind::kScalar || node.quoted) wrong(node, key, expected);
    return node.text;
  }

  void read_value(const YamlNode& node, const char* key, bool& field, const Range&) const {
    const std::string& text = plain(node, key, "true or false");
    if (text != "true" && text != "false") wrong(node, key, "true or false");
    field = text == "true";
  }

  void read_value(const YamlNode& node, const char* key, std::string& field, const Range&) const {
    if (node.kind != YamlNode::Kind::kScalar) wrong(node, key, "a text");
    if (!node.quoted && (node.text == "true" || node.text == "false")) wrong(node, key, "a text");
    field = node.text;
  }

  void read_value(const YamlNode& node, const char* key, Shape& field, const Range& range) const {
    constexpr const char* expected = "a list of three whole numbers [H, W, C], or []";
    if (node.kind != YamlNode::Kind::kSequence || (node.items.size() != 3 && !node.items.empty())) {
      wrong(node, key, expected);
    }
    std::vector<std::int64_t> dims(node.items.size());
    for (std::size_t i = 0; i < dims.size(); ++i) read_value(node.items[i], key, dims[i], range);
    field = Shape(std::move(dims));
  }

  void read_value(const YamlNode& node, const char* key, std::vector<double>& field,
                  const Range& range) const {
    if (node.kind != YamlNode::Kind::kSequence) wrong(node, key, "a list of numbers");
    field.assign(node.items.size(), 0.0);
    for (std::size_t i = 0; i < field.size(); ++i) {
      read_value(node.items[i], key, field[i], range);
    }
  }

  template <class E>
  void read_value(const YamlNode& node, const char* key, std::vector<E>& field,
                  const Range&) const {
    const auto known = enum_names(E{});
    if (node.kind != YamlNode::Kind::kSequence) {
      wrong(node, key, "a list of " + join({known.begin(), known.end()}));
    }
    field.clear();
    for (const YamlNode& item : node.items) {
      E value{};
      read_enum(item, key, value);
      if (std::find(field.begin(), field.end(), value) == field.end()) field.push_back(value);
    }
  }

  template <class T>
  void read_value(const YamlNode& node, const char* key, T& field, const Range& range) const {
    if constexpr (std::is_enum_v<T>) {
      read_enum(node, key, field);
    } else {
      constexpr const char* expected =
          std::is_floating_point_v<T>
              ? "a number"
              : (std::is_signed_v<T> ? "a whole number" : "a whole number of at least 0");
      const std::string& text = plain(node, key, expected);
      T value{};
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
        wrong(node, key, expected);
      }
      const auto number = static_cast<double>(value);
      if (error != std::errc() || !std::isfinite(number) || !range.contains(number)) {
        const std::string allowed = range.to_string();
        throw UsageError(message(node.place, ": ", join_key(path_, key), " must be ",
                                 allowed.empty() ? "a number that the type can hold" : allowed,
                                 ", got ", printable(text)));
      }
      field = value;
    }
  }

  // The place of the node's word in `names`.
  std::size_t index_of(const YamlNode& node, const char* key,
                       const std::vector<std::string>& names) const {
    if (node.kind != YamlNode::Kind::kScalar) wrong(node, key, "one of " + join(names));
    const auto found = std::find(names.begin(), names.end(), node.text);
    if (found == names.end()) {
      const std::string near = nearest_typo(node.text, names);
      throw UsageError(message(
          node.place, ": ", join_key(path_, key), " does not know ", node.describe(),
          near.empty() ? "" : "; did you mean \"" + near + "\"?", " (values: ", join(names), ")"));
    }
    return static_cast<std::size_t>(found - names.begin());
  }

  template <class E>
  void read_enum(const YamlNode& node, const char* key, E& field) const {
    const auto known = enum_names(E{});
    field = static_cast<E>(index_of(node, key, {known.begin(), known.end()}));
    if constexpr (requires { is_implemented(field); }) {
      if (!is_implemented(field)) {
        throw UsageError(message(node.place, ": ", join_key(path_, key), " \"", node.text,
                                 "\" is not implemented yet"));
      }
    }
  }

  const YamlNode& node_;
  std::string path_;
  std::vector<std::string> keys_;
};

}  // namespace

Config read_config(const YamlNode& root) {
  Config config;
  SectionReader(root, "").read<Config>(config);
  return config;
}

}  // namespace octet

#pragma once

#include <string>
#include <vector>

namespace octet {

// A YAML value that knows where it stands. The only type through which the rest of the code sees
// YAML.
struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  std::string place;    // "configs/lenet.yaml:3:7", or "--set train.lr=0.1"
  std::string text;     // kScalar
  bool quoted = false;  // kScalar: written with quotes, so it is a string whatever it looks like
  std::vector<YamlNode> items;  // kSequence
  std::vector<Entry> entries;   // kMap, in the order of the file

  static YamlNode of(Kind kind, std::string place);
  const YamlNode* find(const std::string& key) const;  // null if there is none
  std::string describe() const;                        // "a list", "\"fast\"", for messages
};

struct YamlNode::Entry {
  std::string key;
  std::string key_place;
  YamlNode value;
};

// Parses one document of at most 256 KiB. Throws UsageError that starts with "source:line:column: "
// on malformed YAML, a duplicate key, an anchor, alias or tag, nesting deeper than 16, more than
// 100 open brackets, a key that is not a scalar, control characters, bytes that are not UTF-8, a
// second document.
YamlNode parse_yaml(const std::string& text, const std::string& source);

// The same for a value on the command line: every place is `place`.
YamlNode parse_yaml_value(const std::string& text, const std::string& place);

// Overrides `base` by `over`: maps merge deeply (an empty one changes nothing), everything else is
// replaced. Throws UsageError where a map meets a scalar or a list: one of the two is a mistake.
void merge(YamlNode& base, const YamlNode& over);

}  // namespace octet

#include "io/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <span>
#include <sstream>
#include <utility>

#include "base/classic_locale.h"
#include "base/error.h"
#include "file/foreign_format.h"
#include "file/printable.h"
#include "file/utf8.h"

namespace octet {
namespace {

// yaml-cpp takes up to 250 bytes of memory and some microseconds for each byte of a list.
constexpr std::size_t kMaxBytes = std::size_t{256} << 10;
constexpr int kMaxOpenBrackets = 100;
constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxValues = 10'000;

// Builds the tree from the parser's events rather than from yaml-cpp's nodes: those hide duplicate
// keys, anchors and aliases.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string source, bool with_position)
      : source_(std::move(source)), with_position_(with_position) {
    open_.emplace_back();
  }

  bool has_document() const { return !open_.front().items.empty(); }
  YamlNode take() { return std::move(open_.front().items.front()); }

  std::string place(const YAML::Mark& mark) const {
    if (!with_position_) return source_;
    return message(source_, ":", mark.line + 1, ":", mark.column + 1);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (has_document()) fail(mark, "a second document starts here; one is allowed");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(mark, YamlNode::of(YamlNode::Kind::kNull, place(mark)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases (*name) are not allowed");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (has_control_characters(text)) {
      fail(mark, message("\"", printable(text), "\" has control characters"));
    }
    YamlNode node = YamlNode::of(YamlNode::Kind::kScalar, place(mark));
    node.text = text;
    node.quoted = tag == "!";
    add(mark, std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw UsageError(message(place(mark), ": ", what));
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) fail(mark, "anchors (&name) are not allowed");
  }
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!") fail(mark, "tags (!name) are not allowed");
  }

  void count(const YAML::Mark& mark) {
    if (++values_ > kMaxValues) fail(mark, message("more than ", kMaxValues, " values"));
  }

  bool waits_for_key() const {
    const YamlNode& top = open_.back();
    return top.kind == YamlNode::Kind::kMap && !key_waits_;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (waits_for_key()) fail(mark, "a key must be a plain word (is a bracket left open?)");
    if (open_.size() > kMaxDepth) fail(mark, message("nested deeper than ", kMaxDepth));
    count(mark);
    keys_.push_back(key_waits_ ? std::move(key_) : YamlNode::Entry());
    key_waits_ = false;
    open_.push_back(YamlNode::of(kind, place(mark)));
  }

  void close() {
    YamlNode node = std::move(open_.back());
    open_.pop_back();
    YamlNode::Entry entry = std::move(keys_.back());
    keys_.pop_back();
    entry.value = std::move(node);
    append(std::move(entry));
  }

  void add(const YAML::Mark& mark, YamlNode node) {
    count(mark);
    if (waits_for_key()) {
      if (node.kind != YamlNode::Kind::kScalar)
        fail(mark, "a key must be a plain word (is a bracket left open?)");
      if (open_.back().find(node.text) != nullptr) {
        fail(mark, message("duplicate key \"", printable(node.text), "\""));
      }
      key_ = YamlNode::Entry{node.text, node.place, YamlNode()};
      key_waits_ = true;
      return;
    }
    key_.value = std::move(node);
    key_waits_ = false;
    append(std::move(key_));
  }

  void append(YamlNode::Entry entry) {
    YamlNode& top = open_.back();
    if (top.kind == YamlNode::Kind::kMap) {
      top.entries.push_back(std::move(entry));
    } else {
      top.items.push_back(std::move(entry.value));
    }
  }

  std::string source_;
  bool with_position_;
  std::vector<YamlNode> open_;         // from the document down to where the parser is
  std::vector<YamlNode::Entry> keys_;  // the keys of the open nodes in their maps
  YamlNode::Entry key_;                // read, its value not yet
  bool key_waits_ = false;
  std::size_t values_ = 0;
};

void check_text(const std::string& text, const std::string& source) {
  if (text.size() > kMaxBytes) {
    throw UsageError(message(source, ": ", text.size(), " bytes; at most ", kMaxBytes));
  }
  const auto bad = std::find_if(text.begin(), text.end(), [](char c) {
    return has_control_characters({&c, 1}) && c != '\n' && c != '\r' && c != '\t';
  });
  const auto bytes = std::as_bytes(std::span(text));
  if (bad != text.end()) {
    throw UsageError(message(source, ": control character at byte ", bad - text.begin(),
                             "; this is not YAML text", foreign_hint(bytes)));
  }
  if (!is_utf8(text)) throw UsageError(message(source, ": not valid UTF-8", foreign_hint(bytes)));
}

// yaml-cpp reads all of a nested list before it reports the first bracket of it, so that memory and
// time are bounded here. Brackets in texts and comments count as well: nobody leaves so many open.
void check_brackets(const std::string& text, const TreeBuilder& builder) {
  int open = 0;
  YAML::Mark mark;
  for (const char c : text) {
    if (c == '[' || c == '{') ++open;
    if (c == ']' || c == '}') open = std::max(0, open - 1);
    if (open > kMaxOpenBrackets) {
      throw UsageError(message(builder.place(mark), ": more than ", kMaxOpenBrackets,
                               " brackets are open; lists and maps are nested at most ", kMaxDepth,
                               " deep"));
    }
    ++mark.column;
    if (c == '\n') {
      ++mark.line;
      mark.column = 0;
    }
  }
}

// YAML is indented by spaces; what the parser says of a tab ("end of map not found") helps nobody.
void refuse_tabs(const std::string& text, const std::string& source) {
  Classic<std::istringstream> lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::size_t content = line.find_first_not_of(" \t\r");
    const std::size_t tab = line.find('\t');
    if (content == std::string::npos || line[content] == '#' || tab > content) continue;
    throw UsageError(message(source, ":", number, ":", tab + 1,
                             ": a tab indents this line; YAML is indented by spaces"));
  }
}

YamlNode build(const std::string& text, TreeBuilder builder, const std::string& source) {
  check_brackets(text, builder);
  Classic<std::istringstream> stream(text);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw UsageError(message(builder.place(error.mark), ": malformed YAML: ", error.msg));
  }
  if (builder.has_document()) return builder.take();
  return YamlNode::of(YamlNode::Kind::kNull, source);
}

}  // namespace

YamlNode YamlNode::of(Kind kind, std::string place) {
  YamlNode node;
  node.kind = kind;
  node.place = std::move(place);
  return node;
}

const YamlNode* YamlNode::find(const std::string& key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &found->value;
}

std::string YamlNode::describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return (quoted ? "the text \"" : "\"") + printable(text) + "\"";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "";
}

YamlNode parse_yaml(const std::string& text, const std::string& source) {
  check_text(text, source);
  refuse_tabs(text, source);
  return build(text, TreeBuilder(source, true), source);
}

YamlNode parse_yaml_value(const std::string& text, const std::string& place) {
  check_text(text, place);
  return build(text, TreeBuilder(place, false), place);
}

void merge(YamlNode& base, const YamlNode& over) {
  if (base.kind == YamlNode::Kind::kMap && over.kind == YamlNode::Kind::kNull) return;
  if (base.kind != YamlNode::Kind::kMap || over.kind != YamlNode::Kind::kMap) {
    const bool was_value =
        base.kind == YamlNode::Kind::kScalar || base.kind == YamlNode::Kind::kSequence;
    if (was_value && over.kind == YamlNode::Kind::kMap) {
      throw UsageError(message(over.place, ": a map cannot take the place of ", base.describe(),
                               " from ", base.place));
    }
    base = over;
    return;
  }
  for (const YamlNode::Entry& entry : over.entries) {
    const auto found =
        std::find_if(base.entries.begin(), base.entries.end(),
                     [&](const YamlNode::Entry& other) { return other.key == entry.key; });
    if (found == base.entries.end()) {
      base.entries.push_back(entry);
    } else {
      found->key_place = entry.key_place;
      merge(found->value, entry.value);
    }
  }
}

}  // namespace octet

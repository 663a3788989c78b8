#include <algorithm>
#include <cmath>
#include <iomanip>
#include <nlohmann/json.hpp>

#include "base/classic_locale.h"
#include "base/error.h"
#include "base/text.h"
#include "io/config_fields.h"

namespace octet {
namespace {

// Collects every field with its full key.
class FieldCollector {
 public:
  template <class T>
  void operator()(const char* key, const T& field, const Range& range, const char* doc) {
    std::string allowed = range.to_string();
    if constexpr (std::is_same_v<T, bool>) allowed = "true | false";
    if constexpr (std::is_enum_v<T>) allowed = words_of<T>(" | ");
    if constexpr (requires { enum_names(typename T::value_type{}); }) {
      allowed = "a list of " + words_of<typename T::value_type>(", ");
    }
    fields_.push_back({join_key(path_, key), config_text(field), allowed, doc});
  }

  template <class E, std::size_t kCount>
  void one_of(const char* key, const E& field, const std::array<E, kCount>& values,
              const char* doc) {
    std::vector<std::string> names;
    for (const E value : values) names.emplace_back(name_of(value));
    fields_.push_back({join_key(path_, key), config_text(field), join(names, " | "), doc});
  }

  template <class Fields, class Section>
  void section(const std::string& key, const Section& section) {
    const std::string outer = std::exchange(path_, join_key(path_, key));
    Fields::visit(section, *this);
    path_ = outer;
  }
  template <class Section>
  void section(const char* key, const Section& section) {
    this->section<Section, Section>(key, section);
  }

  void layers(const char* key, const std::map<std::string, QConfig>& layers, const QConfig&) {
    const std::string outer = std::exchange(path_, join_key(path_, key));
    for (const auto& [name, layer] : layers) section<QConfigFields>(name, layer);
    path_ = outer;
  }

  std::vector<ConfigField> take() { return std::move(fields_); }

 private:
  // The names of an enumeration.
  template <class E>
  static std::string words_of(const char* separator) {
    const auto names = enum_names(E{});
    std::vector<std::string> words;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if constexpr (requires(E value) { is_implemented(value); }) {
        if (!is_implemented(static_cast<E>(i))) continue;
      }
      words.emplace_back(names[i]);
    }
    return join(words, separator);
  }

  std::string path_;
  std::vector<ConfigField> fields_;
};

// Text as YAML: as it is where nothing could take it for something else, else in double quotes.
std::string yaml_text(const std::string& text) {
  const bool plain =
      !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '/';
      });
  static const std::vector<std::string> kReserved = {"true", "false", "null", "Null", "NULL"};
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), text) != kReserved.end();
  return plain && !reserved ? text : nlohmann::json(text).dump();
}

class YamlWriter {
 public:
  template <class T>
  void operator()(const char* key, const T& field, const Range&, const char*) {
    std::string text = config_text(field);
    if constexpr (std::is_same_v<T, std::string>) text = yaml_text(text);
    out_ << indent_ << key << ": " << text << '\n';
  }

  template <class E, std::size_t kCount>
  void one_of(const char* key, const E& field, const std::array<E, kCount>&, const char* doc) {
    (*this)(key, field, {}, doc);
  }

  template <class Fields, class Section>
  void section(const std::string& key, const Section& section) {
    out_ << indent_ << key << ":\n";
    indent_ += "  ";
    Fields::visit(section, *this);
    indent_.resize(indent_.size() - 2);
  }
  template <class Section>
  void section(const char* key, const Section& section) {
    this->section<Section, Section>(key, section);
  }

  void layers(const char* key, const std::map<std::string, QConfig>& layers, const QConfig&) {
    out_ << indent_ << key << (layers.empty() ? ": {}\n" : ":\n");
    indent_ += "  ";
    for (const auto& [name, layer] : layers) section<QConfigFields>(yaml_text(name), layer);
    indent_.resize(indent_.size() - 2);
  }

  std::string take() const { return out_.str(); }

 private:
  ClassicStream out_;
  std::string indent_;
};

}  // namespace

std::string Range::to_string() const {
  const auto number = [](double value) {  // 100000, not 1e+05
    const bool whole = std::fabs(value) < 1e15 && value == std::floor(value);
    return whole ? config_text(static_cast<std::int64_t>(value)) : config_text(value);
  };
  const bool has_min = min > -std::numeric_limits<double>::infinity();
  const bool has_max = max < std::numeric_limits<double>::infinity();
  if (has_min && has_max) {
    return message("in ", min_allowed ? "[" : "(", number(min), ", ", number(max),
                   max_allowed ? "]" : ")");
  }
  if (has_min) return message(min_allowed ? ">= " : "> ", number(min));
  return has_max ? message(max_allowed ? "<= " : "< ", number(max)) : "";
}

std::vector<ConfigField> config_fields(const Config& config) {
  FieldCollector collector;
  Config::visit(config, collector);
  return collector.take();
}

std::string to_yaml(const Config& config) {
  YamlWriter writer;
  Config::visit(config, writer);
  return writer.take();
}

std::vector<ConfigDifference> config_differences(const Config& before, const Config& after) {
  const std::vector<ConfigField> a = config_fields(before), b = config_fields(after);
  const auto value_of = [](const std::vector<ConfigField>& fields, const std::string& key) {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const ConfigField& field) { return field.key == key; });
    return found == fields.end() ? std::string() : found->value;
  };
  std::vector<ConfigDifference> differences;
  const auto add = [&](const ConfigField& field) {
    const ConfigDifference difference = {field.key, value_of(a, field.key), value_of(b, field.key)};
    const bool known =
        std::find(differences.begin(), differences.end(), difference) != differences.end();
    if (difference.before != difference.after && !known) differences.push_back(difference);
  };
  for (const ConfigField& field : a) add(field);
  for (const ConfigField& field : b) add(field);
  return differences;
}

std::string describe_config() {
  struct Line {
    std::string key, help;
  };
  std::vector<Line> lines;
  for (const ConfigField& field : config_fields(Config())) {
    lines.push_back({field.key + ": " + (field.value.empty() ? "\"\"" : field.value),
                     field.doc + (field.allowed.empty() ? "" : "; " + field.allowed)});
    if (field.key == "quantize.activation.bits") {
      lines.push_back({"quantize.layers: {}",
                       "layers that differ: {NAME: {weight: {...}, activation: {...}}}"});
    }
  }
  std::size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.key.size());
  ClassicStream out;
  for (const Line& line : lines) {
    out << "  " << std::left << std::setw(static_cast<int>(width) + 2) << line.key << line.help
        << '\n';
  }
  return out.str();
}

}  // namespace octet

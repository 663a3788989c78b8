#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "io/config.h"

// What the visitors of the configuration share.
namespace octet {

// One key of the configuration with its value, as text.
struct ConfigField {
  std::string key;  // "train.lr"
  std::string value;
  std::string allowed;  // "> 0", "constant | cosine | one_cycle"
  std::string doc;
};

// All fields in the order of the file.
std::vector<ConfigField> config_fields(const Config& config);

// "train" + "lr" = "train.lr"
inline std::string join_key(const std::string& section, const std::string& key) {
  return section.empty() ? key : section + "." + key;
}

// "a, b, c"
inline std::string join(const std::vector<std::string>& words, std::string_view separator = ", ") {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

// Numbers in the shortest form that reads back as the same number.
template <class T>
std::string config_text(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(name_of(value));
  } else if constexpr (std::is_same_v<T, Shape>) {
    return value.to_string();
  } else if constexpr (requires { typename T::value_type; }) {  // numbers, or enumerators
    std::vector<std::string> words;
    for (const auto& element : value) words.push_back(config_text(element));
    return "[" + join(words) + "]";
  } else {
    char buffer[32];
    const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
    return std::string(buffer, result.ptr);
  }
}

}  // namespace octet

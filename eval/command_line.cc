#include "eval/command_line.h"

#include <algorithm>
#include <filesystem>

#include "base/nearest.h"
#include "base/text.h"
#include "file/printable.h"
#include "file/shell.h"
#include "io/config_hint.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

// "; did you mean --set or --stop-after?", or "" without names.
std::string question(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " or ") + ("--" + name);
  return text.empty() ? "" : "; did you mean " + text + "?";
}

std::vector<std::string> options_with(const std::vector<std::string>& options,
                                      const std::function<bool(const std::string&)>& fits) {
  std::vector<std::string> found;
  std::copy_if(options.begin(), options.end(), std::back_inserter(found), fits);
  return found;
}

std::string remedy(const std::string& name, const std::string& value, bool one_dash,
                   const std::vector<std::string>& options, const OptionHint& hint) {
  const auto one = [](const std::string& text) {
    return question(text.empty() ? std::vector<std::string>() : std::vector{text});
  };
  if (one_dash && name.size() == 1) {
    return question(options_with(options, [&](const std::string& o) { return o[0] == name[0]; }));
  }
  if (std::find(options.begin(), options.end(), name) != options.end()) return one(name);
  if (const std::string text = one(nearest_typo(name, options, 1)); !text.empty()) return text;
  if (hint) {
    if (const std::string text = hint(name, value); !text.empty()) return text;
  }
  if (const std::string text = one(nearest_typo(name, options)); !text.empty()) return text;
  return question(options_with(options, [&](const std::string& o) {
    return std::min(o.size(), name.size()) >= 3 &&
           (name.find(o) != std::string::npos || o.find(name) != std::string::npos);
  }));
}

}  // namespace

std::string explain_unknown_option(const std::vector<std::string>& words,
                                   const std::vector<std::string>& options,
                                   const OptionHint& hint) {
  std::vector<std::string> known =
      options_with(options, [](const auto& o) { return o.size() > 1; });
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (word.size() < 2 || word[0] != '-' || is_digit(word[1])) continue;
    const bool one_dash = word[1] != '-';
    const std::size_t begin = one_dash ? 1 : 2, equals = word.find('=');
    const std::string name =
        word.substr(begin, equals == std::string::npos ? equals : equals - begin);
    const bool is_known = std::find(options.begin(), options.end(), name) != options.end();
    if (is_known && one_dash == (name.size() == 1)) continue;
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (i + 1 < words.size() && !words[i + 1].starts_with("-")) {
      value = words[i + 1];
    }
    const std::string text = remedy(name, value, one_dash, known, hint);
    return "unknown option " + printable(word.substr(0, equals)) +
           (text.empty() ? "; see --help" : text);
  }
  return "";
}

std::string set_option_for(const std::string& word, const std::string& value) {
  const std::vector<std::string> keys = keys_like(word);
  if (keys.empty()) return "";
  // Of keys with one name, train's is meant more often than quantize's.
  const auto first = std::find_if(keys.begin(), keys.end(),
                                  [](const std::string& key) { return key.starts_with("train."); });
  const std::string& best = first == keys.end() ? keys.front() : *first;
  std::string others;
  for (const std::string& key : keys) {
    if (key != best) others += (others.empty() ? " (or " : ", ") + key;
  }
  return "--set " + (value.empty() ? best + "=VALUE" : shell_quoted(best + "=" + value)) + others +
         (others.empty() ? "" : ")");
}

std::string explain_word(const std::string& word) {
  const std::size_t equals = word.find('=');
  if (equals != std::string::npos && equals > 0) {
    const std::string set = set_option_for(word.substr(0, equals), word.substr(equals + 1));
    return "; a key of the config is set with " + (set.empty() ? "--set KEY=VALUE" : set);
  }
  const fs::path path(word);
  std::error_code ignored;
  if (path.extension() == ".yaml" || path.extension() == ".yml") {
    return "; a config is given with --config " + shell_quoted(word);
  }
  if (fs::exists(path / "config.yaml", ignored)) {
    return "; a run goes on with --resume " + shell_quoted(word);
  }
  return "";
}

}  // namespace octet

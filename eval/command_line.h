#pragma once

#include <cxxopts.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace octet {

// What a program has to say of an option that it does not have ("epochs", "3"): the end of a
// message, or "". The value is "" where none is given.
using OptionHint = std::function<std::string(const std::string& name, const std::string& value)>;

// What is wrong with the first word of a command line that looks like an option but is none of
// `options` (without dashes): the error's text, with the likeliest remedy. "" if there is no such
// word. `words` begin behind the program's name.
std::string explain_unknown_option(const std::vector<std::string>& words,
                                   const std::vector<std::string>& options, const OptionHint& hint);

// options.parse. Throws UsageError that explains an option the program does not have.
inline cxxopts::ParseResult parse_command_line(cxxopts::Options& options, int argc, char** argv,
                                               const OptionHint& hint = nullptr) {
  const auto explain = [&] {
    std::vector<std::string> names;
    for (const std::string& group : options.groups()) {
      for (const auto& option : options.group_help(group).options) {
        names.push_back(option.s);
        names.insert(names.end(), option.l.begin(), option.l.end());
      }
    }
    return explain_unknown_option({argv + 1, argv + argc}, names, hint);
  };
  try {
    return options.parse(argc, argv);
  } catch (const cxxopts::exceptions::no_such_option&) {
    if (const std::string text = explain(); !text.empty()) throw UsageError(text);
    throw;
  } catch (const cxxopts::exceptions::invalid_option_syntax&) {
    if (const std::string text = explain(); !text.empty()) throw UsageError(text);
    throw;
  }
}

// "--set train.lr=0.1 (or quantize.lr)", for an option or word that can mean a key of the config;
// "" if it cannot.
std::string set_option_for(const std::string& word, const std::string& value);

// What to do about a word that is no option of train: the end of a message, or "".
std::string explain_word(const std::string& word);

}  // namespace octet

#include "file/shell.h"

#include <algorithm>

#include "file/printable.h"

namespace octet {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_./:=@%+,-").find(c) != std::string_view::npos;
}

}  // namespace

std::string shell_quoted(std::string_view word) {
  // A word with a dash in front would be an option.
  const std::string text = (word.starts_with("-") ? "./" : "") + std::string(word);
  if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) return text;
  const bool escapes = has_control_characters(text);
  std::string quoted = escapes ? "$'" : "'";
  for (const char c : text) {
    if (!escapes) {
      quoted += c == '\'' ? "'\\''" : std::string(1, c);
    } else if (c == '\'' || c == '\\') {
      quoted += {'\\', c};
    } else {
      quoted += printable({&c, 1});
    }
  }
  return quoted + "'";
}

}  // namespace octet

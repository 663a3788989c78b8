#pragma once

#include <cstdio>
#include <string>

#include "base/classic_locale.h"
#include "base/float_environment.h"

namespace octet {

// printf into a string; for table rows of up to 511 characters.
template <class... Args>
std::string format(const char* pattern, Args... args) {
  const ClassicLocale locale;
  const FloatEnvironment environment;
  char text[512];
  std::snprintf(text, sizeof(text), pattern, args...);
  return text;
}

// The letters of ASCII, whatever the locale calls a letter.
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace octet

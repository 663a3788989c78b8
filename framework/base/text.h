#pragma once

#include <cstdio>
#include <string>

namespace octet {

// printf into a string; for table rows of up to 511 characters.
template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[512];
  std::snprintf(text, sizeof(text), pattern, args...);
  return text;
}

}  // namespace octet

#pragma once

#include <cstdio>
#include <string>

namespace octet {

// printf into a string; for table rows of up to 255 characters.
template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[256];
  std::snprintf(text, sizeof(text), pattern, args...);
  return text;
}

}  // namespace octet

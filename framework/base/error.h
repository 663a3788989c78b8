#pragma once

#include <stdexcept>
#include <string>

#include "base/classic_locale.h"
#include "base/float_environment.h"

namespace octet {

// What every part of Octet throws. The message says what is wrong, where (file, key, layer, byte)
// and, when known, what to do. Programs print it after "error: " and exit with 1.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A wrong command line or configuration: programs exit with 2 instead of 1.
class UsageError : public Error {
 public:
  using Error::Error;
};

// Joins the parts with operator<<, in the classic locale: message("got ", 3, " channels").
template <class... Parts>
std::string message(const Parts&... parts) {
  const FloatEnvironment environment;  // decimals are rounded as it says
  ClassicStream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace octet

// Throws Error with the joined parts unless `cond` holds. The parts are evaluated only on failure.
#define OCTET_CHECK(cond, ...)                                        \
  do {                                                                \
    if (!(cond)) throw ::octet::Error(::octet::message(__VA_ARGS__)); \
  } while (false)

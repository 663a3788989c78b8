#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "io/config.h"

namespace octet::testing {

// What is wrong with this text of a config file, or "" if nothing is.
inline std::string error_of(const std::string& yaml,
                            const std::vector<std::string>& overrides = {}) {
  try {
    parse_config(yaml, "c.yaml", overrides);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace octet::testing

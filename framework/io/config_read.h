#pragma once

#include "io/config.h"
#include "io/yaml_tree.h"

namespace octet {

// The typed configuration of a merged tree. Throws UsageError as load_config does.
Config read_config(const YamlNode& root);

}  // namespace octet

// Configurations: YAML, then one --set for each NUL-terminated text behind it. What is accepted can
// be written and reads as the same.
#include <sstream>
#include <string>

#include "io/config.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string all(reinterpret_cast<const char*>(data), size);
  const std::string yaml = all.substr(0, all.find('\0'));
  std::vector<std::string> overrides;
  std::istringstream rest(all.substr(std::min(yaml.size() + 1, all.size())));
  for (std::string text; std::getline(rest, text, '\0');) overrides.push_back(text);
  return fuzz::refuse_or_accept([&] {
    const Config config = parse_config(yaml, "/nowhere/fuzz.yaml", overrides);
    fuzz::must_not_throw([&] {
      fuzz::require(parse_config(to_yaml(config), "written.yaml") == config,
                    "a configuration that is written reads as the same");
    });
  });
}

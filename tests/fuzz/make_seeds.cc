// make_seeds FOLDER: writes the seeds into FOLDER/<harness>/.
// The seeds come from helpers of tests, which need doctest's symbols.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "io/config_fields.h"
#include "tests/fuzz/seeds.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: make_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (const octet::fuzz::Seed& seed : octet::fuzz::seeds()) {
    std::filesystem::create_directories(folder / seed.harness);
    std::ofstream file(folder / seed.harness / seed.name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.bytes.data()),
               static_cast<std::streamsize>(seed.bytes.size()));
    file.close();
    if (!file) {
      std::fprintf(stderr, "error: cannot write to %s\n", argv[1]);
      return 1;
    }
  }
  // The words of a configuration, as libFuzzer's dictionaries hold them.
  std::ofstream words(folder / "config.dict");
  for (const octet::ConfigField& field : octet::config_fields(octet::Config())) {
    words << '"' << field.key.substr(field.key.rfind('.') + 1) << ": \"\n";
  }
  return 0;
}

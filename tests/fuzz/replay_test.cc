// The harnesses on what is committed: the seeds, the corpus, and every input that once was a
// finding. .ci/fuzz.sh looks for more.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>

#include "base/rng.h"
#include "file/read_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

#define HARNESS(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
#include "harnesses.inc"
#undef HARNESS

namespace octet::fuzz {
namespace {

using Harness = int (*)(const std::uint8_t*, std::size_t);

const std::map<std::string, Harness> kHarnesses = {
#define HARNESS(name) {#name, fuzz_##name},
#include "harnesses.inc"
#undef HARNESS
};

void replay(const std::string& harness, const std::vector<std::byte>& bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  CHECK_NOTHROW(kHarnesses.at(harness)(data, bytes.size()));
}

int replay_folder(const std::string& folder) {
  int files = 0;
  for (const auto& [harness, run] : kHarnesses) {
    const std::filesystem::path inputs =
        std::filesystem::path(OCTET_SOURCE_DIR "/tests/fuzz") / folder / harness;
    if (!std::filesystem::exists(inputs)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(inputs)) {
      CAPTURE(entry.path().string());
      replay(harness, read_file(entry.path().string()));
      ++files;
    }
  }
  return files;
}

TEST_CASE("fuzz: every harness has seeds, and takes them whole, cut off and with changed bytes") {
  std::map<std::string, int> count;
  for (const Seed& seed : seeds()) {
    CAPTURE(seed.harness);
    CAPTURE(seed.name);
    ++count[seed.harness];
    replay(seed.harness, seed.bytes);
    Rng rng(1, RngPurpose::kTest);
    for (int i = 0; i < 20 && !seed.bytes.empty(); ++i) {
      std::vector<std::byte> bad = seed.bytes;
      const auto at = rng.below(static_cast<std::uint32_t>(bad.size()));
      bad[at] = static_cast<std::byte>(rng.below(256));
      if (i % 4 == 0) bad.resize(at);
      replay(seed.harness, bad);
    }
  }
  for (const auto& harness : kHarnesses) {
    CAPTURE(harness.first);
    CHECK(count[harness.first] > 0);
  }
}

TEST_CASE("fuzz: the committed corpus is read or refused") { CHECK(replay_folder("corpus") > 0); }

TEST_CASE("fuzz: what once was a finding is read or refused") {
  CHECK(replay_folder("regressions") > 0);
}

}  // namespace
}  // namespace octet::fuzz

#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"

// What the fuzz harnesses share. Each harness is one file with one LLVMFuzzerTestOneInput, which
// libFuzzer calls with inputs of its own making (.ci/fuzz.sh) and replay_test.cc with those that
// are committed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace octet::fuzz {

// An accepted input that is not what the reader promises.
class Finding : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline void require(bool ok, const char* promise) {
  if (!ok) throw Finding(promise);
}

// An Error is what a bad input deserves. Everything else that leaves `body` is a finding; when
// fuzzing, so is more than a second of the processor's time (a busy machine is none).
template <class Body>
int refuse_or_accept(const Body& body) {
  [[maybe_unused]] const std::clock_t begin = std::clock();
  try {
    body();
  } catch (const Error&) {
  }
#ifdef OCTET_FUZZ
  require(std::clock() - begin < CLOCKS_PER_SEC, "an input takes less than a second");
#endif
  return 0;
}

// Of accepted input nothing may be refused any more.
template <class Body>
auto must_not_throw(const Body& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Finding(std::string("refused what was accepted before: ") + error.what());
  }
}

inline std::vector<std::byte> to_bytes(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  return {bytes.begin(), bytes.end()};
}

}  // namespace octet::fuzz

// Checkpoints, and weights for model.init_from: the same bytes as both.
#include "io/checkpoint.h"
#include "io/weights.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/signed_file.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> file = fuzz::with_right_digest(fuzz::to_bytes(data, size));
  fuzz::refuse_or_accept([&] {
    const Checkpoint checkpoint = parse_checkpoint(file, "fuzz");
    for (const auto& [name, group] : checkpoint.groups) {
      fuzz::require(!group.empty(), "a group has members");
    }
  });
  return fuzz::refuse_or_accept([&] {
    const WeightsFile weights = parse_weights(file, "fuzz");
    for (const NamedTensor& tensor : weights.tensors) {
      fuzz::refuse_or_accept([&] { turn_flattened_columns(tensor, 4); });
    }
    fuzz::must_not_throw(
        [&] { fuzz::require(weights_sha256(weights.tensors).size() == 64, "hash"); });
  });
}

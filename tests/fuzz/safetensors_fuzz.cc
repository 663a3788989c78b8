// safetensors: what is accepted can be written, and reads as the same.
#include <algorithm>

#include "file/safetensors.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

namespace {

bool equal(const SafetensorsFile& a, const SafetensorsFile& b) {
  return a.metadata() == b.metadata() && a.tensors().size() == b.tensors().size() &&
         std::all_of(a.tensors().begin(), a.tensors().end(), [&](const TensorEntry& x) {
           const TensorEntry* y = b.find(x.name);
           return y != nullptr && x.dtype == y->dtype && x.shape == y->shape &&
                  std::equal(x.bytes.begin(), x.bytes.end(), y->bytes.begin(), y->bytes.end());
         });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::refuse_or_accept([&] {
    const SafetensorsFile file = SafetensorsFile::parse(fuzz::to_bytes(data, size), "fuzz");
    std::size_t bytes = 0;
    for (const TensorEntry& tensor : file.tensors()) bytes += tensor.bytes.size();
    fuzz::require(bytes == file.data().size(), "tensors tile the data");
    fuzz::must_not_throw([&] {
      const auto again =
          SafetensorsFile::parse(serialize_safetensors(file.metadata(), file.tensors()), "written");
      fuzz::require(equal(file, again), "a file that is written reads as the same");
    });
  });
}

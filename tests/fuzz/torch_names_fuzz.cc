// Weights of other programs for model.init_from: a file whose tensors have PyTorch's names and
// layout. It fills the whole model, or leaves all of it as it was.
#include <algorithm>

#include "eval/initial_weights.h"
#include "io/weights.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

namespace {

// Names of each rule of models/torch_names.cc, and of none.
std::vector<NamedTensor> model() {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const char* name, const Shape& shape) {
    tensors.push_back({name, Tensor::full(shape, -7.0f)});
  };
  add("conv1.weight", {2, 3, 1, 1});
  for (const char* name : {"conv1.bn.weight", "conv1.bn.running_var"}) add(name, {2});
  add("layer1.0.conv2.bn.bias", {2});
  add("layer1.0.downsample.weight", {2, 1, 1, 2});
  add("layer1.0.downsample.bn.running_mean", {2});
  add("fc1.weight", {1, 32});
  add("fc.bias", {3});
  return tensors;
}

bool is_untouched(const std::vector<NamedTensor>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const NamedTensor& tensor) {
    const float* x = tensor.tensor.data();
    return std::all_of(x, x + tensor.tensor.numel(), [](float v) { return v == -7.0f; });
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::refuse_or_accept([&] {
    WeightsFile file = parse_weights(fuzz::to_bytes(data, size), "fuzz");
    const std::vector<NamedTensor> to = model();
    const std::size_t given = file.tensors.size();
    try {
      copy_torch_weights(std::move(file.tensors), to, "lenet", "fuzz");
    } catch (const Error&) {
      fuzz::require(is_untouched(to), "a file that does not fit changes nothing");
      throw;
    }
    fuzz::require(given == to.size(), "every tensor of the file has its place");
  });
}

#include "eval/initial_weights.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "datasets/registry.h"
#include "eval/run_files.h"
#include "io/weights.h"
#include "models/registry.h"
#include "models/torch_names.h"
#include "nn/leaf.h"
#include "tests/file/temp_folder.h"

namespace octet {
namespace {

struct Network {
  std::string name;
  Shape image;
};

std::unique_ptr<Module> make(const Network& network, std::uint64_t seed) {
  auto model = make_model(network.name, {.image_shape = network.image, .padding = 2});
  initialize(*model, seed);
  return model;
}

// Element by element, from the definition: [O, KH, KW, I] to [O, I, KH, KW], and a linear layer's
// columns from h, w, c to c, h, w.
Tensor to_torch(const Tensor& x, std::int64_t flattened_channels) {
  if (x.rank() != 4 && flattened_channels == 0) return x;
  const std::int64_t rows = x.dim(0);
  const std::int64_t channels = x.rank() == 4 ? x.dim(3) : flattened_channels;
  const std::int64_t pixels = x.numel() / rows / channels;
  Tensor y =
      Tensor::empty(x.rank() == 4 ? Shape{x.dim(0), x.dim(3), x.dim(1), x.dim(2)} : x.shape());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t p = 0; p < pixels; ++p) {
      for (std::int64_t c = 0; c < channels; ++c) {
        y.mutable_data()[(r * channels + c) * pixels + p] =
            x.data()[(r * pixels + p) * channels + c];
      }
    }
  }
  return y;
}

// What torch.save's state_dict of the same network would be, as safetensors.
std::vector<NamedTensor> state_dict(const Module& model, const std::string& name) {
  std::vector<NamedTensor> result;
  for (const NamedTensor& t : state_tensors(model)) {
    const TorchTensor torch = torch_tensor(name, t.name);
    result.push_back({torch.name, to_torch(t.tensor, torch.flattened_channels)});
  }
  result.push_back({"bn1.num_batches_tracked", Tensor::zeros({}, DType::kI64)});
  return result;
}

void write(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::vector<TensorEntry> entries;
  for (const NamedTensor& t : tensors) entries.push_back(to_entry(t));
  write_safetensors(path, {{"format", "pt"}}, entries);
}

void load(Module& model, const std::string& name, const std::string& path) {
  Config config;
  config.model.name = name;
  config.model.init_from = path;
  load_initial_weights(model, config, *load_dataset("mnist_sample", "").train);
}

}  // namespace

TEST_CASE("torch names: torchvision's, written out") {
  const struct {
    const char *model, *ours, *theirs;
  } cases[] = {
      {"resnet50", "conv1.weight", "conv1.weight"},
      {"resnet50", "conv1.bn.running_var", "bn1.running_var"},
      {"resnet50", "layer1.0.conv3.bn.bias", "layer1.0.bn3.bias"},
      {"resnet50", "layer3.5.conv2.weight", "layer3.5.conv2.weight"},
      {"resnet50", "layer2.0.downsample.weight", "layer2.0.downsample.0.weight"},
      {"resnet50", "layer2.0.downsample.bn.running_mean", "layer2.0.downsample.1.running_mean"},
      {"resnet50", "fc.bias", "fc.bias"},
      {"lenet_bn", "conv2.bn.weight", "bn2.weight"},
      {"lenet", "conv2.bias", "conv2.bias"},
  };
  for (const auto& c : cases) {
    CAPTURE(std::string(c.ours));
    CHECK(torch_tensor(c.model, c.ours).name == c.theirs);
  }
  CHECK(torch_tensor("lenet", "fc1.weight").flattened_channels == 16);
  CHECK(torch_tensor("lenet", "fc2.weight").flattened_channels == 0);
}

TEST_CASE("init_from: a PyTorch state_dict gives every model the weights it was written from") {
  const TempFolder folder;
  for (const Network& network : {Network{"resnet20", {32, 32, 3}}, Network{"resnet50", {32, 32, 3}},
                                 Network{"lenet", {28, 28, 1}}, Network{"lenet_bn", {28, 28, 1}}}) {
    CAPTURE(network.name);
    const auto source = make(network, 1), target = make(network, 2);
    const std::string before = weights_sha256(state_tensors(*target));
    write(folder / "t.safetensors", state_dict(*source, network.name));
    load(*target, network.name, folder / "t.safetensors");
    CHECK(weights_sha256(state_tensors(*target)) == weights_sha256(state_tensors(*source)));
    CHECK(weights_sha256(state_tensors(*target)) != before);
  }
}

TEST_CASE("init_from: our own names in PyTorch's layout are taken too") {
  const TempFolder folder;
  const Network network{"resnet20", {32, 32, 3}};
  const auto source = make(network, 1), target = make(network, 2);
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& t : state_tensors(*source)) {
    tensors.push_back({t.name, to_torch(t.tensor, 0)});
  }
  write(folder / "t.safetensors", tensors);
  load(*target, network.name, folder / "t.safetensors");
  CHECK(weights_sha256(state_tensors(*target)) == weights_sha256(state_tensors(*source)));
}

TEST_CASE("init_from: tensors that do not fit are named as the file names them") {
  const TempFolder folder;
  const std::string path = folder / "t.safetensors";
  const auto refusal = [&](const Network& network,
                           const std::function<void(std::vector<NamedTensor>&)>& change) {
    const auto source = make(network, 1), target = make(network, 2);
    std::vector<NamedTensor> tensors = state_dict(*source, network.name);
    change(tensors);
    write(path, tensors);
    const std::string before = weights_sha256(state_tensors(*target));
    try {
      load(*target, network.name, path);
    } catch (const Error& error) {
      CHECK(weights_sha256(state_tensors(*target)) == before);  // all or nothing
      return std::string(error.what());
    }
    return std::string();
  };
  const auto find = [](std::vector<NamedTensor>& tensors, const std::string& name) {
    for (auto it = tensors.begin(); it != tensors.end(); ++it) {
      if (it->name == name) return it;
    }
    throw Error(name);
  };
  const Network resnet{"resnet20", {32, 32, 3}}, lenet{"lenet", {28, 28, 1}};
  const std::string head = "\"" + path + "\"";
  CHECK(refusal(resnet, [&](auto& t) { t.erase(find(t, "layer2.0.downsample.1.bias")); }) ==
        head + " does not fit the model: missing layer2.0.downsample.1.bias");
  CHECK(refusal(resnet, [&](auto& t) { find(t, "layer1.0.bn1.weight")->name = "bn9.weight"; }) ==
        head + " does not fit the model: missing layer1.0.bn1.weight; unexpected bn9.weight");
  // torchvision's own stem
  CHECK(refusal(resnet,
                [&](auto& t) {
                  find(t, "conv1.weight")->tensor = Tensor::zeros({16, 3, 7, 7});
                }) ==
        head +
            ": tensor \"conv1.weight\" is F32 [16, 7, 7, 3], the model expects F32 [16, 3, 3, 3]");
  CHECK(refusal(resnet, [&](auto& t) {
          find(t, "fc.weight")->tensor = Tensor::zeros({1000, 64});
        }) == head + ": tensor \"fc.weight\" is F32 [1000, 64], the model expects F32 [10, 64]");
  CHECK(refusal(lenet,
                [&](auto& t) {
                  find(t, "fc1.weight")->tensor = Tensor::zeros({120, 250});
                }) ==
        head +
            ": tensor \"fc1.weight\" is F32 [120, 250], the model expects the weight of a linear "
            "layer that reads a flattened map of 16 channels");
}

}  // namespace octet

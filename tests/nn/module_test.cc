#include "nn/module.h"

#include "nn/conv_bn_act.h"
#include "nn/linear.h"
#include "tests/testing.h"

namespace octet {
namespace {

class Block final : public Module {
 public:
  struct Options {
    std::string second = "conv2";
  };
  explicit Block(Options o) {
    add<ConvBnAct>("conv1", {.in = 1, .out = 2});
    add<ConvBnAct>(o.second, {.in = 2, .out = 2, .norm = Norm::kNone});
  }

 private:
  Tensor forward(const Tensor& x) override { return x; }
};

class Net final : public Module {
 public:
  Net() : block(add<Block>("layer1.0")), fc(add<Linear>("fc", {.in = 2, .out = 3})) {}
  Block& block;
  Linear& fc;

 private:
  Tensor forward(const Tensor& x) override { return x; }
};

std::vector<std::string> names(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> all;
  for (const NamedTensor& t : tensors) all.push_back(t.name);
  return all;
}

}  // namespace

TEST_CASE("module: parameters, buffers and modules have full names in the order of creation") {
  Net net;
  CHECK(names(net.named_parameters()) ==
        std::vector<std::string>{"layer1.0.conv1.weight", "layer1.0.conv1.bn.weight",
                                 "layer1.0.conv1.bn.bias", "layer1.0.conv2.weight",
                                 "layer1.0.conv2.bias", "fc.weight", "fc.bias"});
  CHECK(names(net.named_buffers()) == std::vector<std::string>{"layer1.0.conv1.bn.running_mean",
                                                               "layer1.0.conv1.bn.running_var"});
  std::vector<std::string> modules;
  for (const auto& [name, module] : net.named_modules()) {
    CHECK(module->full_name() == name);
    modules.push_back(name);
  }
  CHECK(modules ==
        std::vector<std::string>{"", "layer1.0", "layer1.0.conv1", "layer1.0.conv2", "fc"});
  for (const NamedTensor& t : net.named_parameters()) CHECK(t.tensor.requires_grad());
}

TEST_CASE("module: a name used twice is an error") {
  CHECK_THROWS_AS(Block({.second = "conv1"}), Error);
  CHECK_THROWS_AS(Block({.second = ""}), Error);
}

TEST_CASE("module: training and evaluation mode reach the whole tree") {
  Net net;
  CHECK(net.block.is_training());
  net.eval();
  for (const auto& [name, module] : net.named_modules()) CHECK_FALSE(module->is_training());
  net.block.train();
  CHECK(net.block.children()[0].second->is_training());
  CHECK_FALSE(net.fc.is_training());
}

TEST_CASE("initialize: PyTorch's bounds, and a function of seed and position alone") {
  const auto values = [](Module& m) {
    std::vector<float> all;
    for (const NamedTensor& t : m.named_parameters()) {
      all.insert(all.end(), t.tensor.data(), t.tensor.data() + t.tensor.numel());
    }
    return all;
  };
  Net a, b, c;
  initialize(a, 1);
  initialize(b, 1);
  initialize(c, 2);
  CHECK(values(a) == values(b));
  CHECK(values(a) != values(c));

  Linear wide({.in = 400, .out = 120});
  initialize(wide, 3);
  const Tensor w = wide.named_parameters()[0].tensor;
  const auto [low, high] = std::minmax_element(w.data(), w.data() + w.numel());
  CHECK(*high <= 0.05f);  // 1 / sqrt(400)
  CHECK(*high > 0.049f);
  CHECK(*low >= -0.05f);
  CHECK(*low < -0.049f);
  for (const NamedTensor& t : a.named_parameters()) {
    if (t.name == "layer1.0.conv1.bn.weight") CHECK(t.tensor.data()[0] == 1.0f);
    if (t.name == "layer1.0.conv1.bn.bias") CHECK(t.tensor.data()[0] == 0.0f);
  }
}

}  // namespace octet

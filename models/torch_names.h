#pragma once

#include <cstdint>
#include <string>

namespace octet {

// Where PyTorch keeps what we keep under another name, or in another order.
struct TorchTensor {
  std::string name;  // in a state_dict
  // A linear layer behind a flatten: its columns there are in the order C, H, W, here H, W, C. The
  // number of channels; 0: the order is the same.
  std::int64_t flattened_channels = 0;
};

// The tensor of a PyTorch state_dict that is the parameter or buffer `name` of one of the
// registered models. The names are torchvision's where torchvision has the model (resnet18,
// resnet50):
//
//   conv1.weight                      conv1.weight
//   conv1.bn.running_mean             bn1.running_mean
//   layer1.0.conv2.bn.weight          layer1.0.bn2.weight
//   layer2.0.downsample.weight        layer2.0.downsample.0.weight
//   layer2.0.downsample.bn.bias       layer2.0.downsample.1.bias
//   fc.weight                         fc.weight
//
// Everything else is called the same. A model that is not named here follows these rules too; one
// that flattens a map of more than one pixel adds its line in torch_names.cc.
TorchTensor torch_tensor(const std::string& model, const std::string& name);

}  // namespace octet

#pragma once

#include <vector>

#include "nn/conv_bn_act.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace octet {

enum class ResidualBlock {
  kBasic,       // 3x3, 3x3
  kBottleneck,  // 1x1 to the width, 3x3, 1x1 to four times the width
};

// Residual network with the stem for small images: a 3x3 convolution of stride 1 and no max-pool,
// then stages of residual blocks, global average pool, linear layer.
//   He et al. 2016, "Deep residual learning for image recognition" (arXiv:1512.03385), secs. 3.3,
//   4.2; the stem in place of ImageNet's 7x7/2 and pool as is usual on CIFAR.
// - Each stage but the first halves the maps, in its first block; a bottleneck does so in its 3x3,
//   as torchvision does ("ResNet v1.5"), not in its first 1x1.
// - The last convolution of a block adds the shortcut before its ReLU: one leaf. Where the shape
//   changes the shortcut is a projection, a 1x1 convolution with batch norm and without
//   activation (option B of the paper), which quantizes as any other layer; option A, zeros in the
//   new channels, would need an op of its own.
// - Convolutions start normally distributed (ConvInit::kNormalFanOut), as in torchvision.
// Names are torchvision's, with batch norm inside its convolution: layer1.0.conv2.bn.weight.
class ResNet final : public Module {
 public:
  struct Options {
    Shape image_shape;  // [H, W, C]
    std::int64_t classes = 10;
    ResidualBlock block = ResidualBlock::kBasic;
    std::int64_t width = 64;  // of the stem and the first stage; it doubles from stage to stage
    std::vector<std::int64_t> blocks;  // of each stage
    // The last gamma of each block starts at 0, so that a block is its shortcut at first.
    //   Goyal et al. 2017 (arXiv:1706.02677), sec. 5.1
    bool zero_init_residual = true;
  };
  // Throws Error if the image's sides are not multiples of 2^(stages - 1).
  explicit ResNet(const Options& options);

 private:
  Tensor forward(const Tensor& x) override;

  ConvBnAct& conv1_;
  std::vector<Module*> stages_;
  GlobalAvgPool* avgpool_;
  Flatten* flatten_;
  Linear* fc_;
};

}  // namespace octet

#pragma once

#include "nn/conv_bn_act.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace octet {

// LeNet-5 with ReLU and 2x2 max-pool in place of sigmoid and average pool: 5x5 convolutions of 6
// and 16 channels, linear layers of 120 and 84.
//   LeCun et al. 1998, "Gradient-based learning applied to document recognition", sec. II.B;
//   geometry as in d2l.ai, sec. 7.6.
// fc1's inputs follow from the image: 28x28 with padding 2 gives 5 x 5 x 16 = 400, without padding
// 4 x 4 x 16 = 256, and 32x32 without padding 400 again.
class LeNet final : public Module {
 public:
  struct Options {
    Shape image_shape;  // [H, W, C]
    std::int64_t classes = 10;
    std::int64_t padding = 2;  // of conv1
    Norm norm = Norm::kNone;   // batch norm in the convolutions: "lenet_bn"
  };
  // Throws Error if the image is too small.
  explicit LeNet(Options options);

 private:
  Tensor forward(const Tensor& x) override;

  ConvBnAct& conv1_;
  MaxPool2d& pool1_;
  ConvBnAct& conv2_;
  MaxPool2d& pool2_;
  Flatten& flatten_;
  Linear &fc1_, &fc2_, &fc3_;
};

}  // namespace octet

#include "models/lenet.h"

namespace octet {
namespace {

// Side of the maps after conv1, pool1, conv2 and pool2.
std::int64_t side_after_convolutions(std::int64_t side, std::int64_t padding) {
  const std::int64_t pooled = (side + 2 * padding - 4) / 2;
  return (pooled - 4) / 2;
}

std::int64_t fc1_inputs(const LeNet::Options& o) {
  OCTET_CHECK(o.image_shape.rank() == 3 && o.classes >= 1 && o.padding >= 0 && o.padding <= 4,
              "[lenet] needs an image shape [H, W, C], at least one class and a padding of 0 to 4; "
              "got ",
              o.image_shape, ", ", o.classes, ", ", o.padding);
  const std::int64_t h = side_after_convolutions(o.image_shape[0], o.padding);
  const std::int64_t w = side_after_convolutions(o.image_shape[1], o.padding);
  OCTET_CHECK(h >= 1 && w >= 1 && o.image_shape[2] >= 1, "[lenet] needs images of at least ",
              16 - 2 * o.padding, " x ", 16 - 2 * o.padding, " pixels with padding ", o.padding,
              ", got shape ", o.image_shape);
  return h * w * 16;
}

}  // namespace

LeNet::LeNet(Options o)
    : conv1_(add<ConvBnAct>("conv1", {.in = o.image_shape.rank() == 3 ? o.image_shape[2] : 0,
                                      .out = 6,
                                      .kernel = 5,
                                      .padding = o.padding,
                                      .norm = o.norm})),
      pool1_(add<MaxPool2d>("pool1")),
      conv2_(add<ConvBnAct>("conv2", {.in = 6, .out = 16, .kernel = 5, .norm = o.norm})),
      pool2_(add<MaxPool2d>("pool2")),
      flatten_(add<Flatten>("flatten")),
      fc1_(add<Linear>("fc1", {.in = fc1_inputs(o), .out = 120, .act = Act::kRelu})),
      fc2_(add<Linear>("fc2", {.in = 120, .out = 84, .act = Act::kRelu})),
      fc3_(add<Linear>("fc3", {.in = 84, .out = o.classes})) {}

Tensor LeNet::forward(const Tensor& x) {
  const Tensor maps = conv2_.call_with_pool(pool2_, conv1_.call_with_pool(pool1_, x));
  return fc3_(fc2_(fc1_(flatten_(maps))));
}

}  // namespace octet

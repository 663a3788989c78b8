#include "models/resnet.h"

namespace octet {
namespace {

// Padded so that stride 1 keeps the size.
ConvBnAct::Options conv(std::int64_t in, std::int64_t out, std::int64_t kernel,
                        std::int64_t stride = 1) {
  return {.in = in,
          .out = out,
          .kernel = kernel,
          .stride = stride,
          .padding = kernel / 2,
          .init = ConvInit::kNormalFanOut};
}

struct BlockOptions {
  ResidualBlock kind;
  std::int64_t in, width, stride;
  bool zero_init;
};

std::int64_t out_channels(ResidualBlock kind, std::int64_t width) {
  return kind == ResidualBlock::kBasic ? width : 4 * width;
}

class Block final : public Module {
 public:
  using Options = BlockOptions;
  explicit Block(const Options& o) {
    const std::int64_t out = out_channels(o.kind, o.width);
    if (o.kind == ResidualBlock::kBasic) {
      convs_.push_back(&add<ConvBnAct>("conv1", conv(o.in, o.width, 3, o.stride)));
      convs_.push_back(&add<ConvBnAct>("conv2", last(conv(o.width, out, 3), o)));
    } else {
      convs_.push_back(&add<ConvBnAct>("conv1", conv(o.in, o.width, 1)));
      convs_.push_back(&add<ConvBnAct>("conv2", conv(o.width, o.width, 3, o.stride)));
      convs_.push_back(&add<ConvBnAct>("conv3", last(conv(o.width, out, 1), o)));
    }
    if (o.in == out && o.stride == 1) return;
    ConvBnAct::Options projection = conv(o.in, out, 1, o.stride);
    projection.act = Act::kNone;
    downsample_ = &add<ConvBnAct>("downsample", projection);
  }

 private:
  static ConvBnAct::Options last(ConvBnAct::Options conv, const Options& o) {
    conv.shortcut = true;
    conv.initial_gamma = o.zero_init ? 0.0f : 1.0f;
    return conv;
  }

  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (std::size_t i = 0; i + 1 < convs_.size(); ++i) y = (*convs_[i])(y);
    return (*convs_.back())(y, downsample_ == nullptr ? x : (*downsample_)(x));
  }

  std::vector<ConvBnAct*> convs_;
  ConvBnAct* downsample_ = nullptr;
};

class Stage final : public Module {
 public:
  struct Options {
    BlockOptions first;
    std::int64_t blocks;
  };
  explicit Stage(const Options& o) {
    BlockOptions block = o.first;
    for (std::int64_t i = 0; i < o.blocks; ++i) {
      blocks_.push_back(&add<Block>(message(i), block));
      block.in = out_channels(block.kind, block.width);
      block.stride = 1;
    }
  }

 private:
  Tensor forward(const Tensor& x) override {
    Tensor y = x;
    for (Block* block : blocks_) y = (*block)(y);
    return y;
  }

  std::vector<Block*> blocks_;
};

// The stem, after the check of what the user chose.
ConvBnAct::Options stem(const ResNet::Options& o) {
  OCTET_CHECK(o.image_shape.rank() == 3 && o.image_shape[2] >= 1 && o.classes >= 1,
              "[resnet] needs an image shape [H, W, C] and at least one class; got ", o.image_shape,
              ", ", o.classes);
  const std::int64_t multiple = std::int64_t{1} << (o.blocks.size() - 1);
  OCTET_CHECK(o.image_shape[0] >= 1 && o.image_shape[0] % multiple == 0 && o.image_shape[1] >= 1 &&
                  o.image_shape[1] % multiple == 0,
              "[resnet] halves its maps ", o.blocks.size() - 1,
              " times and needs images whose sides are multiples of ", multiple, ", got shape ",
              o.image_shape);
  return conv(o.image_shape[2], o.width, 3);
}

}  // namespace

ResNet::ResNet(const Options& o) : conv1_(add<ConvBnAct>("conv1", stem(o))) {
  BlockOptions block{.kind = o.block,
                     .in = o.width,
                     .width = o.width,
                     .stride = 1,
                     .zero_init = o.zero_init_residual};
  for (std::size_t i = 0; i < o.blocks.size(); ++i) {
    stages_.push_back(&add<Stage>(message("layer", i + 1), {block, o.blocks[i]}));
    block.in = out_channels(block.kind, block.width);
    block.width *= 2;
    block.stride = 2;
  }
  avgpool_ = &add<GlobalAvgPool>("avgpool");
  flatten_ = &add<Flatten>("flatten");
  fc_ = &add<Linear>("fc", {.in = block.in, .out = o.classes});
}

Tensor ResNet::forward(const Tensor& x) {
  Tensor y = conv1_(x);
  for (Module* stage : stages_) y = (*stage)(y);
  return (*fc_)((*flatten_)((*avgpool_)(y)));
}

}  // namespace octet

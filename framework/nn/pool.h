#pragma once

#include "nn/leaf.h"
#include "ops/pool.h"

namespace octet {

// Largest element of each window. On codes too; quantizes nothing itself.
class MaxPool2d final : public Leaf {
 public:
  using Options = Pool2dOptions;
  explicit MaxPool2d(Options options) : o_(options) {}
  const Options& options() const { return o_; }
  ir::ValueId lower(Lowering& lowering) const override;

 private:
  Tensor forward(Inputs x) override;
  FloatForm folded() const override { return FloatMaxPool2d{o_.kernel, o_.stride, o_.padding}; }

  Options o_;
};

// Mean of each window; padding counts as zeros.
class AvgPool2d final : public Leaf {
 public:
  using Options = Pool2dOptions;
  explicit AvgPool2d(Options options) : o_(options) {}
  const Options& options() const { return o_; }
  ir::ValueId lower(Lowering& lowering) const override;

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  FloatForm folded() const override { return FloatAvgPool2d{o_.kernel, o_.stride, o_.padding}; }
  void prepare(const QConfig& qconfig) override;

  Options o_;
  FakeQuantize* activation_fake_quant_ = nullptr;
};

// Mean of each map.  [N, H, W, C] -> [N, 1, 1, C]
class GlobalAvgPool final : public Leaf {
 public:
  struct Options {};
  explicit GlobalAvgPool(Options) {}
  ir::ValueId lower(Lowering& lowering) const override;

 private:
  Tensor forward(Inputs x) override;
  Tensor forward_codes(Inputs x) const override;
  FloatForm folded() const override { return FloatAvgPool2d{}; }
  void prepare(const QConfig& qconfig) override;

  FakeQuantize* activation_fake_quant_ = nullptr;
};

}  // namespace octet

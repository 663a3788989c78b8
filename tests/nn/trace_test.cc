#include "nn/trace.h"

#include "nn/add_act.h"
#include "nn/conv_bn_act.h"
#include "nn/dropout.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "ops/activation.h"
#include "tests/testing.h"

namespace octet {
namespace {

enum class Fault { kNone, kUntraced, kTwice, kNoLeaf };

class Residual final : public Module {
 public:
  explicit Residual(Fault fault) : fault_(fault) {}

 private:
  Tensor forward(const Tensor& x) override {
    Tensor y = conv1_(x);
    if (fault_ == Fault::kUntraced) y = relu(y);
    if (fault_ == Fault::kTwice) y = conv1_(y);
    y = drop_(join_(conv2_(y), x));
    y = fc_(flatten_(y));
    return fault_ == Fault::kNoLeaf ? relu(y) : y;
  }

  Fault fault_;
  ConvBnAct& conv1_ = add<ConvBnAct>("conv1", {.in = 2, .out = 2, .norm = Norm::kNone});
  ConvBnAct& conv2_ = add<ConvBnAct>("conv2", {.in = 2, .out = 2, .act = Act::kNone});
  AddAct& join_ = add<AddAct>("join");
  Dropout& drop_ = add<Dropout>("drop");
  Flatten& flatten_ = add<Flatten>("flatten");
  Linear& fc_ = add<Linear>("fc", {.in = 18, .out = 3});
};

}  // namespace

TEST_CASE("trace: records who read what, in evaluation mode, and restores the modes") {
  Residual net(Fault::kNone);
  net.children()[0].second->eval();
  const Trace t = trace(net, Tensor::zeros({1, 3, 3, 2}));
  std::vector<std::string> names;
  for (const TraceRecord& r : t.records) names.push_back(r.name);
  CHECK(names == std::vector<std::string>{"conv1", "conv2", "join", "drop", "flatten", "fc"});
  CHECK(t.records[0].inputs == std::vector<int>{0});
  CHECK(t.records[2].inputs == std::vector<int>{2, 0});
  CHECK(t.output == t.records[5].output);
  CHECK(t.records[5].result.shape() == Shape{1, 3});
  CHECK_FALSE(t.records[5].result.needs_grad());
  CHECK(net.is_training());
  CHECK_FALSE(net.children()[0].second->is_training());
  CHECK(net.children()[1].second->is_training());
}

TEST_CASE("trace: a value made outside a leaf is an error that names who reads it") {
  Residual untraced(Fault::kUntraced), twice(Fault::kTwice), no_leaf(Fault::kNoLeaf);
  const Tensor x = Tensor::zeros({1, 3, 3, 2});
  CHECK_THROWS_WITH_AS(trace(untraced, x), doctest::Contains("[conv2]"), Error);
  CHECK_THROWS_WITH_AS(trace(twice, x), doctest::Contains("[conv1] is called twice"), Error);
  CHECK_THROWS_AS(trace(no_leaf, x), Error);
  CHECK(untraced.is_training());  // restored after an error too
  Residual good(Fault::kNone);
  CHECK(trace(good, x).records.size() == 6);
}

TEST_CASE("leaf: an error from inside names the layer") {
  Residual net(Fault::kNone);
  net.eval();
  CHECK_THROWS_WITH_AS(net(Tensor::zeros({1, 5, 5, 2})), doctest::Contains("[fc]"), Error);
}

}  // namespace octet

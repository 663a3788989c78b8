#include "train/rehearse.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "data/in_memory.h"
#include "eval/run_files.h"
#include "models/registry.h"
#include "nn/flatten.h"
#include "nn/linear.h"
#include "tests/text.h"

namespace octet {
namespace {

using testing::has;

// Passes its input on; what it can become at the end of a run is up to the options.
class Odd final : public Leaf {
 public:
  struct Options {
    bool has_float_form = true, has_integer_form = true;
  };
  explicit Odd(Options o) : options_(o) {}
  ir::ValueId lower(Lowering& lowering) const override {
    if (!options_.has_integer_form) throw Error("has no integer form");
    return lowering.inputs[0];
  }

 private:
  Tensor forward(Inputs x) override { return x[0].clone(); }
  FloatForm folded() const override {
    if (options_.has_float_form) return FloatIdentity{};
    return Leaf::folded();
  }
  Options options_;
};

class OddModel final : public Module {
 public:
  explicit OddModel(Odd::Options options)
      : flatten_(add<Flatten>("flatten", {})),
        odd_(add<Odd>("odd", options)),
        linear_(add<Linear>("linear", {.in = 16, .out = 2})) {}

 private:
  Tensor forward(const Tensor& x) override { return linear_(odd_(flatten_(x))); }
  Flatten& flatten_;
  Odd& odd_;
  Linear& linear_;
};

DatasetSplits four_by_four(const std::string& first_class) {
  const auto images = std::make_shared<InMemoryDataset>(
      Shape{4, 4, 1}, std::vector<std::uint8_t>(16), std::vector<std::int32_t>{0},
      std::vector<std::string>{first_class, "dog"});
  return {.train = images, .test = images, .normalization = {{0.0f}, {1.0f}}};
}

std::string refusal(Odd::Options options, QuantizeConfig::Method method,
                    const std::string& first_class = "cat") {
  Config config;
  config.model.name = "odd";
  config.quantize.method = method;
  OddModel model(options);
  try {
    rehearse_end(model, config, four_by_four(first_class));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("rehearse_end: a layer without a float or integer form is known before the first step") {
  using Method = QuantizeConfig::Method;
  for (const Method method : {Method::kNone, Method::kPtq, Method::kQat}) {
    CHECK(refusal({}, method) == "");
    const std::string no_float = refusal({.has_float_form = false}, method);
    CAPTURE(no_float);
    CHECK(has(no_float, "not evaluated: [odd] has no form for float inference"));
    const std::string no_integers = refusal({.has_integer_form = false}, method);
    CAPTURE(no_integers);
    if (method == Method::kNone) {
      CHECK(no_integers == "");
    } else {
      CHECK(has(no_integers, "not become integers: "));
      CHECK(has(no_integers, "has no integer form"));
      CHECK(has(no_integers, "quantize.method=none"));
    }
  }
}

TEST_CASE("rehearse_end: a class name that the model file cannot hold is known before as well") {
  using Method = QuantizeConfig::Method;
  for (const char* name : {"caf\xe9", "two\nlines"}) {
    CHECK(refusal({}, Method::kNone, name) == "");
    CHECK(has(refusal({}, Method::kQat, name), "not become integers: "));
  }
  CHECK(refusal({}, Method::kQat, "caf\xc3\xa9") == "");
}

// Of the large ones, whose weights take seconds in a sanitized build, the small ones have all
// layers.
TEST_CASE("rehearse_end: the models of the registry pass") {
  int passed = 0;
  for (const std::string& name : registered_models()) {
    CAPTURE(name);
    const bool grey = name.rfind("lenet", 0) == 0;
    const Shape shape = grey ? Shape{28, 28, 1} : Shape{32, 32, 3};
    const auto images = std::make_shared<InMemoryDataset>(
        shape, std::vector<std::uint8_t>(static_cast<std::size_t>(shape.numel())),
        std::vector<std::int32_t>{0}, std::vector<std::string>{"cat", "dog", "bird"});
    Config config;
    config.model.name = name;
    config.quantize.method = QuantizeConfig::Method::kQat;
    const std::vector<float> zeros(static_cast<std::size_t>(shape[2]), 0.0f),
        ones(zeros.size(), 1.0f);
    const std::unique_ptr<Module> model = build_model(config, *images);
    std::int64_t weights = 0;
    for (const NamedTensor& w : state_tensors(*model)) weights += w.tensor.numel();
    if (weights > 1000000) continue;
    rehearse_end(*model, config, {.train = images, .test = images, .normalization = {zeros, ones}});
    ++passed;
  }
  CHECK(passed > 0);
}

}  // namespace
}  // namespace octet

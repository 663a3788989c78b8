#include "train/finish.h"

#include <filesystem>

#include "data/in_memory.h"
#include "tests/file/temp_folder.h"
#include "tests/qat/nets.h"
#include "train/run_folder.h"

namespace octet {
namespace {

using namespace testing;  // NOLINT: a test's own vocabulary

// A leaf whose twin is one code off its graph.
class Faulty final : public Leaf {
 public:
  struct Options {};
  explicit Faulty(Options) {}
  ir::ValueId lower(Lowering& lowering) const override {
    return lowering.emit(ir::MaxPool2d{.kernel = 1, .stride = 1});
  }

 private:
  Tensor forward(Inputs x) override {
    Tensor y = x[0].clone();
    y.mutable_data()[1] += 1.0f;
    return y;
  }
};

class FaultyNet final : public Module {
 private:
  Tensor forward(const Tensor& x) override { return fc_(flatten_(faulty_(conv_(x)))); }

  ConvBnAct& conv_ = add<ConvBnAct>("conv", {.in = 3, .out = 2, .kernel = 3});
  Faulty& faulty_ = add<Faulty>("faulty");
  Flatten& flatten_ = add<Flatten>("flatten");
  Linear& fc_ = add<Linear>("fc", {.in = 72, .out = 2});
};

}  // namespace

TEST_CASE("finish: a model that differs from its twin leaves no file under its name") {
  const TempFolder folder;
  const RunLock lock(folder.path());
  Config config;
  config.quantize.method = QuantizeConfig::Method::kPtq;
  config.eval.forms = {EvalConfig::Form::kInt8};
  DatasetSplits data;
  const auto pixels = random_pixels(8, 1);
  data.train = data.test = std::make_shared<InMemoryDataset>(
      kImage, pixels, std::vector<std::int32_t>(8, 0), std::vector<std::string>{"a", "b"});
  data.normalization = {{128.0f / 255.0f, 128.0f / 255.0f, 128.0f / 255.0f},
                        {64.0f / 255.0f, 64.0f / 255.0f, 64.0f / 255.0f}};
  FaultyNet model;
  randomize(model, 1);
  qat::prepare(model, kImage, min_max_qconfig());
  calibrate(model, real_images(pixels, centered_input(3)));
  model.eval();
  const RunState state;
  lock.write("model_int8.safetensors", "left by an earlier attempt");
  std::string error;
  try {
    finish_run({.lock = lock, .config = config, .data = data, .state = state}, model);
  } catch (const Error& e) {
    error = e.what();
  }
  CAPTURE(error);
  CHECK(error.find("first at faulty [image 0, element 1]") != std::string::npos);
  CHECK(std::filesystem::is_empty(folder.path()));
}

}  // namespace octet

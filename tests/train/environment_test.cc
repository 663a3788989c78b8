// Whatever another library has set in this process, the same numbers are computed and written.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/node.h"
#include "base/float_environment.h"
#include "data/loader.h"
#include "datasets/registry.h"
#include "eval/measurement.h"
#include "file/read_file.h"
#include "inference/float_executor.h"
#include "io/checkpoint.h"
#include "io/config.h"
#include "io/run_lock.h"
#include "io/weights.h"
#include "ir/model_file.h"
#include "models/registry.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "ops/cross_entropy.h"
#include "optim/lr_schedule.h"
#include "optim/sgd.h"
#include "tests/odd_environments.h"
#include "tests/qat/nets.h"
#include "train/metrics_log.h"

namespace octet {
namespace {

using testing::kOddControls;
using testing::kUsualControl;
using testing::OddLocale;
using testing::ScopedFloatControl;

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const Tensor& t) { return {t.bytes().begin(), t.bytes().end()}; }
Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// What comes out, by name.
class Products {
 public:
  template <class T>
  void add(const std::string& name, const T& value) {
    if constexpr (std::is_same_v<T, Bytes>) {
      all_[name] = value;
    } else {
      all_[name] = bytes_of(value);
    }
  }
  void add(const std::string& name, const std::vector<NamedTensor>& tensors) {
    for (const NamedTensor& t : tensors) add(name + "/" + t.name, t.tensor);
  }

  // The names of what differs, "" if all is the same.
  std::string difference(const Products& other) const {
    std::string names;
    for (const auto& [name, bytes] : all_) {
      const auto found = other.all_.find(name);
      if (found == other.all_.end() || found->second != bytes) names += name + " ";
    }
    return names;
  }
  std::size_t size() const { return all_.size(); }

 private:
  std::map<std::string, Bytes> all_;
};

// Made in a usual environment.
struct Ingredients {
  DatasetSplits data = load_dataset("mnist_sample", "");
  std::vector<std::uint8_t> pixels = testing::random_pixels(8, 2);
  Tensor images = testing::real_images(pixels, testing::kInput);
  Tensor tiny = testing::real_images(pixels, testing::kInput);  // most results are denormals

  Ingredients() {
    for (std::int64_t i = 0; i < tiny.numel(); ++i) tiny.mutable_data()[i] *= 0x1p-126f;
  }
};

void train(const Ingredients& in, Products& out) {
  const DataLoader loader(in.data.train,
                          {.batch_size = 32,
                           .shuffle = true,
                           .drop_last = true,
                           .seed = 1,
                           .augment = {.shift = 2, .rotate_degrees = 10, .scale = 0.1f},
                           .normalization = in.data.normalization});
  const auto model =
      make_model("lenet_bn", {.image_shape = {28, 28, 1}, .classes = 10, .padding = 2});
  initialize(*model, 1);
  Sgd optimizer(model->named_parameters(), {.momentum = 0.9f, .weight_decay = 1e-4f});
  const LrSchedule schedule({.kind = LrScheduleKind::kOneCycle, .lr = 0.1f, .total_steps = 10});
  model->train();
  for (std::int64_t step = 0; step < 3; ++step) {
    const Batch batch = loader.batch(0, step);
    optimizer.zero_grad();
    const Tensor loss = cross_entropy((*model)(batch.images), batch.labels, 0.1f);
    out.add(message("loss ", step), loss);
    backward(loss);
    // The first gradients are scaled down so far that momentum begins with denormals.
    optimizer.step(schedule.lr_at(step), step == 0 ? 0x1p-125f : 1.0f);
    if (step == 0) out.add("momentum", optimizer.state());
  }
  out.add("weights", model->named_parameters());
  out.add("statistics", model->named_buffers());

  const TempFolder folder;
  save_weights(folder / "weights.safetensors", model->named_parameters());
  out.add("weights file", read_file(folder / "weights.safetensors"));
  const nlohmann::json state = {{"loss", 0.123456789}, {"steps", 1234567}};
  save_checkpoint(RunLock(folder.path()), {.groups = {{"model", model->named_parameters()}},
                                           .state = state.dump(),
                                           .config = "x: 1.5\n",
                                           .dataset_sha256 = "abc"});
  out.add("checkpoint", read_file(folder / kCheckpointName));
  out.add("checkpoint read", read_checkpoint(folder / kCheckpointName).groups.at("model"));
}

void quantize(const Ingredients& in, Products& out) {
  testing::EveryLeaf model({});
  {
    const FloatEnvironment usual;  // the tests' own random numbers are not what is tested
    testing::randomize(model, 1);
  }
  out.add("float ONNX", export_onnx(model, testing::kImage, {.producer_version = "test"}));
  const Bytes onnx = export_onnx(model, testing::kImage, {.producer_version = "test"});
  const OnnxModel imported = parse_onnx(onnx, "float.onnx");
  out.add("imported", imported.model->named_parameters());
  {
    const NoGradGuard no_grad;
    model.eval();
    out.add("module", model(in.images));
    out.add("module, tiny images", model(in.tiny));
  }
  const auto packed = pack_float_model(model, testing::kImage, default_isa());
  for (const int threads : {1, 2}) {
    FloatExecutor executor(packed, {.max_batch = 8, .threads = threads, .least_products = 1});
    for (const Tensor* images : {&in.images, &in.tiny}) {
      Tensor result = Tensor::empty({8, executor.output_shape().numel()});
      executor.run({images->data(), static_cast<std::size_t>(images->numel())}, 8,
                   {result.mutable_data(), static_cast<std::size_t>(result.numel())});
      out.add(message("float engine ", threads, images == &in.tiny ? " tiny" : ""), result);
    }
  }

  qat::prepare(model, testing::kImage, testing::min_max_qconfig());
  testing::calibrate(model, in.images);
  const ir::Graph graph = qat::convert(model, testing::convert_options(testing::kInput));
  const Bytes file = ir::serialize_model(graph);
  out.add("int8 file", file);
  out.add("int8 file, read and written", ir::serialize_model(ir::parse_model(file, "file")));
  out.add("int8 as text", ir::to_text(graph));
  out.add("int8 ONNX", export_onnx(graph, OnnxPreset::kQdq, {.producer_version = "test"}));
}

void write_texts(Products& out) {
  const TempFolder folder;
  const std::string path = folder / "config.yaml";
  const std::string text =
      "train:\n  lr: 0.0123456789\n  weight_decay: 1.25e-4\n  momentum: 0.875\n"
      "data:\n  batch_size: 1024\n  augment: {scale: 0.1}\n";
  {
    std::ofstream file(path, std::ios::binary);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
  }
  const Config config = load_config(path, {"quantize.lr=0.00123", "train.epochs=12345"});
  out.add("config", to_yaml(config));
  out.add("help of the config", describe_config());
  {
    const RunLock lock(folder.path());
    MetricsLog log(lock, 0);
    log.write({{"loss", 0.1}, {"step", 1234567}, {"lr", 1e-7}});
  }
  out.add("metrics", read_file(folder / "metrics.jsonl"));
  Measurement m;
  m.form = "float";
  m.images = 80;
  m.correct = 79;
  m.images_per_second = 1234567.8;
  m.file_bytes = 1234567;
  out.add("table", to_table({m}));
  out.add("summary", to_json(m).dump());
}

Products everything(const Ingredients& in, int threads) {
  Products out;
  set_num_threads(threads);
  train(in, out);
  quantize(in, out);
  write_texts(out);
  set_num_threads(1);
  return out;
}

TEST_CASE("environment: no locale changes what is computed, read or written") {
  const Ingredients in;
  const Products expected = everything(in, 1);
  REQUIRE(expected.size() > 50);
  const OddLocale locale;
  CHECK(everything(in, 1).difference(expected) == "");
}

TEST_CASE("environment: no floating-point setting changes what is computed, on any thread") {
  const Ingredients in;
  const Products expected = everything(in, 1);
  for (const auto& odd : kOddControls) {
    CAPTURE(std::string(odd.name));
    std::string difference;
    {
      const ScopedFloatControl control(odd.bits);
#pragma omp parallel num_threads(2)
      testing::set_float_control(odd.bits);
      difference = everything(in, 2).difference(expected);
#pragma omp parallel num_threads(2)
      testing::set_float_control(kUsualControl);
      testing::set_float_control(odd.bits);
    }
    CHECK(difference == "");
  }
}

}  // namespace
}  // namespace octet

// dump_values MODEL DATASET ROOT OUT [IMAGES]: runs an integer model on a dataset's test set, or
// its first IMAGES, and writes what other programs are compared with to a .safetensors file:
// "pixels" and "logits" of all images, "labels", and "value/<name>", the codes of every tensor of
// the first 64 images. DATASET "random" is 1,000 images of noise that fit any model. MODEL may be a
// run folder: then DATASET and ROOT may be "-", the run's own, and the file also has the float
// model's input, "images", and its "float_logits". Not built unless asked for
// (bench/peers/onnx_check.sh, infer.sh).
#include <algorithm>
#include <iostream>
#include <limits>
#include <string>
#include <vector>

#include "autograd/node.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/processors.h"
#include "base/rng.h"
#include "data/in_memory.h"
#include "data/loader.h"
#include "eval/load_data.h"
#include "eval/run_files.h"
#include "file/safetensors.h"
#include "ir/model_file.h"
#include "runtime/executor.h"

namespace octet {
namespace {

constexpr std::int64_t kDumped = 64;

Shape batched(std::int64_t images, const Shape& shape) {
  std::vector<std::int64_t> dims{images};
  dims.insert(dims.end(), shape.dims().begin(), shape.dims().end());
  return Shape(dims);
}

std::shared_ptr<const Dataset> noise(const Shape& image) {
  constexpr std::int64_t kImages = 1000;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(kImages * image.numel()));
  Rng rng(1, RngPurpose::kTest);
  for (std::uint8_t& p : pixels) p = static_cast<std::uint8_t>(rng.below(256));
  return std::make_shared<InMemoryDataset>(image, std::move(pixels),
                                           std::vector<std::int32_t>(kImages, 0),
                                           std::vector<std::string>{"noise"});
}

DatasetSplits load(const RunFiles& files, const ir::Graph& graph, const std::string& name,
                   const std::string& root) {
  if (name == "random") {
    const std::shared_ptr<const Dataset> images = noise(graph.value(graph.input).shape);
    return {images, images, {}};
  }
  DataConfig data;
  if (files.config) data = files.config->data;
  if (name != "-") data.name = name;
  if (root != "-") data.root = root;
  return load_or_fetch(data, Splits::kTest);
}

// What the float model sees of the test images, and what it makes of them.
struct FloatValues {
  std::vector<float> images, logits;
};

FloatValues run_float(const RunFiles& files, const DatasetSplits& data) {
  const NoGradGuard no_grad;
  const std::unique_ptr<Module> model = load_float_model(files, data);
  const DataLoader loader(data.test, {.batch_size = kDumped, .normalization = data.normalization});
  FloatValues result;
  for (std::int64_t b = 0; b < loader.batches(); ++b) {
    const Tensor x = loader.batch(0, b).images;
    const Tensor y = (*model)(x);
    result.images.insert(result.images.end(), x.data(), x.data() + x.numel());
    result.logits.insert(result.logits.end(), y.data(), y.data() + y.numel());
  }
  return result;
}

void dump(const std::string& model, const std::string& name, const std::string& root,
          const std::string& out, std::int64_t most) {
  const RunFiles files = open_run(model);
  const ir::Graph graph = ir::read_model(files.int8_file);
  DatasetSplits data = load(files, graph, name, root);
  if (most < data.test->size()) {
    std::vector<std::int64_t> first;
    for (std::int64_t i = 0; i < most; ++i) first.push_back(i);
    data.test = std::make_shared<Subset>(data.test, first);
  }
  const std::shared_ptr<const Dataset> test = data.test;
  const std::int64_t images = test->size(), dumped = std::min(kDumped, images),
                     classes = graph.value(graph.output).shape.numel(),
                     size = graph.value(graph.input).shape.numel();
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels, logits(static_cast<std::size_t>(images * classes));
  for (std::int64_t i = 0; i < images; ++i) {
    const Sample sample = test->get(i);
    OCTET_CHECK(static_cast<std::int64_t>(sample.pixels.size()) == size, "the model takes ",
                graph.value(graph.input).shape, " images, ", name, " has ", test->image_shape());
    pixels.insert(pixels.end(), sample.pixels.begin(), sample.pixels.end());
    labels.push_back(sample.label);
  }
  Executor executor(pack_model(graph, default_isa()),
                    {.max_batch = dumped, .threads = num_threads(), .keep_values = true});
  for (std::int64_t first = 0; first < images; first += dumped) {
    const std::int64_t count = std::min(dumped, images - first);
    executor.run(
        std::span<const std::uint8_t>(pixels).subspan(static_cast<std::size_t>(first * size),
                                                      static_cast<std::size_t>(count * size)),
        count,
        std::span(logits).subspan(static_cast<std::size_t>(first * classes),
                                  static_cast<std::size_t>(count * classes)));
  }
  executor.run(std::span<const std::uint8_t>(pixels).first(static_cast<std::size_t>(dumped * size)),
               dumped, std::span(logits).first(static_cast<std::size_t>(dumped * classes)));

  std::vector<TensorEntry> entries{
      {"pixels", DType::kU8, batched(images, graph.value(graph.input).shape),
       std::as_bytes(std::span(pixels))},
      {"labels", DType::kI32, {images}, std::as_bytes(std::span(labels))},
      {"logits", DType::kI32, {images, classes}, std::as_bytes(std::span(logits))}};
  FloatValues reals;
  if (files.run && name != "random") {
    reals = run_float(files, data);
    entries.push_back({"images", DType::kF32, batched(images, graph.value(graph.input).shape),
                       std::as_bytes(std::span(reals.images))});
    entries.push_back(
        {"float_logits", DType::kF32, {images, classes}, std::as_bytes(std::span(reals.logits))});
  }
  for (const ir::Node& node : graph.nodes) {
    const ir::Value& value = graph.value(node.output);
    if (value.dtype != DType::kU8) continue;
    entries.push_back({"value/" + value.name, DType::kU8, batched(dumped, value.shape),
                       std::as_bytes(executor.value(node.output))});
  }
  write_safetensors(out,
                    {{"input", graph.value(graph.input).name},
                     {"logits_scale", message(graph.value(graph.output).qparams.scale)}},
                    entries);
}

}  // namespace
}  // namespace octet

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) {
    std::cerr << "usage: dump_values MODEL DATASET ROOT OUT [IMAGES]\n";
    return 2;
  }
  try {
    octet::set_num_threads(octet::available_processors());
    octet::dump(argv[1], argv[2], argv[3], argv[4],
                argc == 6 ? std::stoll(argv[5]) : std::numeric_limits<std::int64_t>::max());
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}

#include "bench/model.h"

#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "autograd/node.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/text.h"
#include "bench/peak.h"
#include "bench/process_usage.h"
#include "data/normalize.h"
#include "eval/load_data.h"
#include "inference/float_executor.h"
#include "models/registry.h"
#include "nn/leaf.h"
#include "ops/autocast.h"
#include "ops/cross_entropy.h"
#include "optim/grad_norm.h"
#include "optim/sgd.h"
#include "qat/convert.h"
#include "qat/prepare.h"
#include "qat/schedule.h"
#include "runtime/executor.h"

namespace octet {
namespace {

using Mode = ModelRequest::Mode;
using Arithmetic = ModelRequest::Precision;

constexpr std::int64_t kClasses = 10;
constexpr int kWarmUp = 2;

// Random pixels, normalized as the datasets are, and random labels.
struct Images {
  std::vector<std::uint8_t> pixels;  // [N, H, W, C]
  Tensor images;                     // [N, H, W, C]
  Tensor labels;                     // [N]
};

Images random_images(const Shape& shape, std::int64_t batch, std::uint64_t seed) {
  Images made;
  made.images = Tensor::empty({batch, shape[0], shape[1], shape[2]});
  made.labels = Tensor::empty({batch}, DType::kI32);
  made.pixels.resize(static_cast<std::size_t>(made.images.numel()));
  const int channels = static_cast<int>(shape[2]);
  const std::vector<float> values = value_table(centered_normalization(channels));
  parallel_for(batch, [&](std::int64_t n) {
    Rng rng(seed, RngPurpose::kTest, 0, static_cast<std::uint32_t>(n));
    for (std::int64_t i = n * shape.numel(); i < (n + 1) * shape.numel(); ++i) {
      const std::uint32_t pixel = rng.below(256);
      made.pixels[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(pixel);
      made.images.mutable_data()[i] = values[pixel * static_cast<std::uint32_t>(channels)];
    }
    made.labels.mutable_data<std::int32_t>()[n] = static_cast<std::int32_t>(rng.below(kClasses));
  });
  return made;
}

// Two warm-up steps, then the measured ones; with the page faults in between.
void measure_steps(const std::function<void()>& step, ModelResult& result) {
  for (int i = 0; i < kWarmUp; ++i) step();
  const std::int64_t faults = page_faults();
  result.timing = measure(step, result.request.timing);
  result.page_faults_per_step =
      static_cast<double>(page_faults() - faults) / static_cast<double>(result.timing.repetitions);
}

void measure_training(Module& model, const Images& data, ModelResult& result) {
  const bool bf16 = result.request.precision == Arithmetic::kBf16;
  const AutocastGuard autocast(bf16 ? Precision::kBf16 : Precision::kFp32);
  model.train();
  const std::vector<NamedTensor> parameters = model.named_parameters();
  Sgd optimizer(
      parameters,
      {.momentum = 0.9f, .nesterov = true, .weight_decay = 5e-4f, .decays = is_layer_weight});
  float loss_value = 0.0f;
  double norm = 0.0;
  measure_steps(
      [&] {
        optimizer.zero_grad();
        const Tensor loss = cross_entropy(model(data.images), data.labels);
        loss_value = loss.item();
        backward(loss);
        norm = grad_norm(parameters);
        optimizer.step(0.001f);
      },
      result);
  OCTET_CHECK(std::isfinite(loss_value) && std::isfinite(norm), "[bench] the training of ",
              result.request.model, " diverged: its speed would mean nothing");
}

void measure_float(Module& model, const Images& data, ModelResult& result) {
  const ModelRequest& r = result.request;
  FloatExecutor executor(pack_float_model(model, r.image_shape, r.isa),
                         {.max_batch = r.batch, .threads = num_threads()});
  std::vector<float> logits(static_cast<std::size_t>(r.batch * kClasses));
  const std::span<const float> images(data.images.data(),
                                      static_cast<std::size_t>(data.images.numel()));
  measure_steps([&] { executor.run(images, r.batch, logits); }, result);
}

// The integer graph of a model whose weights are initial values, calibrated on the images.
ir::Graph make_graph(Module& model, const Images& data, const ModelRequest& request) {
  const NoGradGuard no_grad;
  qat::prepare(model, request.image_shape, {});
  {
    const qat::CalibrationGuard calibration(model);
    model(data.images);
  }
  model.eval();
  std::vector<std::string> class_names;
  for (std::int64_t c = 0; c < kClasses; ++c) class_names.push_back(std::to_string(c));
  const int channels = static_cast<int>(request.image_shape[2]);
  return qat::convert(model, {.model = request.model,
                              .dataset = "random",
                              .class_names = class_names,
                              .image_shape = request.image_shape,
                              .input = input_encoding(centered_normalization(channels))});
}

void measure_int8(Module& model, const Images& data, ModelResult& result) {
  const ModelRequest& r = result.request;
  const ir::Graph graph = make_graph(model, data, r);
  Executor executor(pack_model(graph, r.isa), {.max_batch = r.batch, .threads = num_threads()});
  std::vector<std::int32_t> logits(static_cast<std::size_t>(r.batch * kClasses));
  measure_steps([&] { executor.run(data.pixels, r.batch, logits); }, result);
}

// Refuses what cannot work before it takes all the memory there is. Training keeps every layer's
// result for its backward pass; inference the input and the result of one layer.
void check_memory(Module& model, const ModelRequest& r) {
  const Activations count = activations_per_image(model, r.image_shape);
  const std::int64_t kept = r.mode == Mode::kTrain ? count.all : 2 * count.largest;
  const std::int64_t needed = 4 * r.batch * kept, available = available_memory_bytes();
  if (available == 0 || needed <= available) return;
  throw UsageError(message("--batch ", r.batch, ": the activations of ", r.model, " take ",
                           needed >> 20, " MiB, and there are ", available >> 20,
                           " MiB of memory; take a smaller batch"));
}

}  // namespace

double ModelResult::images_per_second() const {
  return 1000.0 * static_cast<double>(request.batch) / timing.median_ms;
}

const char* name_of(Mode mode) { return mode == Mode::kTrain ? "train" : "infer"; }
const char* name_of(Arithmetic precision) {
  switch (precision) {
    case Arithmetic::kFp32:
      return "fp32";
    case Arithmetic::kBf16:
      return "bf16";
    case Arithmetic::kInt8:
      return "int8";
  }
  return "";
}

Shape usual_image_shape(const std::string& model) {
  return model.rfind("lenet", 0) == 0 ? Shape{28, 28, 1} : Shape{32, 32, 3};
}

ModelResult bench_model(const ModelRequest& request) {
  if (request.mode == Mode::kTrain && request.precision == Arithmetic::kInt8) {
    throw UsageError("--precision int8 is for --mode infer: training computes in fp32 or bf16");
  }
  if (request.mode == Mode::kInfer && request.precision == Arithmetic::kBf16) {
    throw UsageError("--precision bf16 is for --mode train: inference computes in fp32 or int8");
  }
  ModelResult result;
  result.request = request;
  result.threads = num_threads();
  ModelRequest& r = result.request;
  if (r.image_shape.rank() == 0) r.image_shape = usual_image_shape(r.model);

  const std::unique_ptr<Module> model =
      make_model(r.model, {.image_shape = r.image_shape, .classes = kClasses});
  initialize(*model, r.seed);
  check_memory(*model, r);
  const ModelMacs work = macs_per_image(layer_shapes(*model, r.image_shape, 1));
  result.gmac_per_image =
      1e-9 * static_cast<double>(r.mode == Mode::kTrain ? work.training : work.forward);
  const Images data = random_images(r.image_shape, r.batch, r.seed);

  PeakWatch peak(name_of(r.precision), r.isa);
  if (r.mode == Mode::kTrain) {
    measure_training(*model, data, result);
  } else if (r.precision == Arithmetic::kFp32) {
    measure_float(*model, data, result);
  } else {
    measure_int8(*model, data, result);
  }
  peak.measure_again();
  result.peak_gmac_per_s = peak.gmac_per_s();
  result.peak_memory_bytes = peak_memory_bytes();
  return result;
}

nlohmann::ordered_json to_json(const ModelResult& m) {
  const ModelRequest& r = m.request;
  nlohmann::ordered_json json;
  json["model"] = r.model;
  json["mode"] = name_of(r.mode);
  json["precision"] = name_of(r.precision);
  json["image_shape"] = {r.image_shape[0], r.image_shape[1], r.image_shape[2]};
  json["batch"] = r.batch;
  json["threads"] = m.threads;
  json["isa"] = name_of(r.isa);
  json["cpu"] = cpu_model_name();
  json["images_per_second"] = m.images_per_second();
  json["ms"] = m.timing.median_ms;
  json["best_ms"] = m.timing.best_ms;
  json["p90_ms"] = m.timing.p90_ms;
  json["steps"] = m.timing.repetitions;
  json["gmac_per_image"] = m.gmac_per_image;
  json["gmac_per_s"] = m.gmac_per_s();
  json["peak_gmac_per_s"] = nullptr;
  json["share_of_peak"] = nullptr;
  if (m.peak_gmac_per_s > 0.0) {
    json["peak_gmac_per_s"] = m.peak_gmac_per_s;
    json["share_of_peak"] = m.gmac_per_s() / m.peak_gmac_per_s;
  }
  json["peak_memory_bytes"] = m.peak_memory_bytes;
  json["page_faults_per_step"] = m.page_faults_per_step;
  return json;
}

std::string to_table(const ModelResult& m) {
  const ModelRequest& r = m.request;
  std::string table =
      format("%s, %s, %s, batch %lld, %d threads, %s, images %s\n", r.model.c_str(),
             name_of(r.mode), name_of(r.precision), static_cast<long long>(r.batch), m.threads,
             std::string(name_of(r.isa)).c_str(), message(r.image_shape).c_str());
  const auto line = [&](const char* name, const std::string& value) {
    table += format("%-22s %s\n", name, value.c_str());
  };
  const double rate = m.images_per_second();
  line("images/s", format(rate < 1000.0 ? "%.2f" : "%.0f", rate));
  line("ms",
       format("%.4g median, %.4g best, %.4g p90 of %lld", m.timing.median_ms, m.timing.best_ms,
              m.timing.p90_ms, static_cast<long long>(m.timing.repetitions)));
  line("GMAC per image", format("%.6f", m.gmac_per_image));
  line("GMAC/s", format("%.1f", m.gmac_per_s()));
  line("share of peak", m.peak_gmac_per_s > 0.0
                            ? format("%.1f %% of %.1f GMAC/s",
                                     100.0 * m.gmac_per_s() / m.peak_gmac_per_s, m.peak_gmac_per_s)
                            : std::string("-"));
  line("peak memory", format("%.1f MiB", static_cast<double>(m.peak_memory_bytes) / (1 << 20)));
  line("page faults per step", format("%.1f", m.page_faults_per_step));
  return table;
}

}  // namespace octet

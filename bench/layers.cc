#include "bench/layers.h"

#include <algorithm>

#include "base/parallel.h"
#include "base/rng.h"
#include "base/text.h"
#include "bench/model.h"
#include "bench/peak.h"
#include "kernels/bf16/conv2d.h"
#include "kernels/f32/conv2d.h"
#include "models/registry.h"
#include "ops/scratch.h"

namespace octet {
namespace {

using kernels::Conv2dShape;

// Values in [-1, 1), the same few thousand again and again: neither zeros nor denormals.
Tensor random_tensor(std::int64_t numel) {
  constexpr std::int64_t kPeriod = 4093;
  Tensor t = Tensor::empty({numel});
  float* x = t.mutable_data();
  Rng rng(1, RngPurpose::kTest);
  for (std::int64_t i = 0; i < std::min(kPeriod, numel); ++i) x[i] = rng.uniform(-1.0f, 1.0f);
  for (std::int64_t i = kPeriod; i < numel; ++i) x[i] = x[i - kPeriod];
  return t;
}

// The operands of one layer, and its passes.
class LayerKernels {
 public:
  LayerKernels(const Conv2dShape& shape, Precision precision, Isa isa)
      : shape_(shape),
        bf16_(precision == Precision::kBf16 && shape.groups == 1),  // as in ops/conv2d.h
        kernels_(kernels::select_f32_kernels(isa)),
        bf16_kernels_(kernels::select_bf16_kernels(isa)),
        x_(random_tensor(shape.batch * shape.height * shape.width * shape.in)),
        y_(random_tensor(shape.batch * shape.out_height() * shape.out_width() * shape.out)),
        weight_(random_tensor(shape.out * shape.taps())),
        scratch_(bf16_ ? std::max({bf16_conv2d_forward_scratch_floats(shape),
                                   bf16_conv2d_data_gradient_scratch_floats(shape, y_.data()),
                                   bf16_conv2d_weight_gradient_scratch_floats(shape)})
                       : std::max({conv2d_forward_scratch_floats(shape),
                                   conv2d_data_gradient_scratch_floats(shape, y_.data()),
                                   conv2d_weight_gradient_scratch_floats(shape)})) {}

  // A gradient takes the place of what it is the gradient of: no pass reads what it writes.
  void run(Pass pass) {
    if (bf16_) return run_bf16(pass);
    switch (pass) {
      case Pass::kForward:
        return conv2d_forward(kernels_, shape_, x_.data(), weight_.data(), nullptr,
                              y_.mutable_data(), scratch_.data());
      case Pass::kDataGradient:
        return conv2d_data_gradient(kernels_, shape_, y_.data(), weight_.data(), x_.mutable_data(),
                                    scratch_.data());
      case Pass::kWeightGradient:
        return conv2d_weight_gradient(kernels_, shape_, x_.data(), y_.data(),
                                      weight_.mutable_data(), scratch_.data());
    }
  }

 private:
  void run_bf16(Pass pass) {
    switch (pass) {
      case Pass::kForward:
        return bf16_conv2d_forward(bf16_kernels_, shape_, x_.data(), weight_.data(), nullptr,
                                   y_.mutable_data(), scratch_.data());
      case Pass::kDataGradient:
        return bf16_conv2d_data_gradient(bf16_kernels_, shape_, y_.data(), weight_.data(),
                                         x_.mutable_data(), scratch_.data());
      case Pass::kWeightGradient:
        return bf16_conv2d_weight_gradient(bf16_kernels_, shape_, x_.data(), y_.data(),
                                           weight_.mutable_data(), scratch_.data());
    }
  }

  Conv2dShape shape_;
  bool bf16_;
  const kernels::F32Kernels& kernels_;
  const kernels::Bf16Kernels& bf16_kernels_;
  Tensor x_, y_, weight_;
  Scratch scratch_;
};

LayerResult measure_layer(const LayerShape& layer, const LayersRequest& request) {
  LayerResult result{layer, 1e-9 * static_cast<double>(macs(layer.shape)), {}};
  for (const Pass pass : request.passes) {
    if (pass == Pass::kDataGradient && layer.reads_image) {
      result.timings.emplace_back();
      continue;
    }
    // Fresh operands: magnitudes do not pile up.
    LayerKernels kernels(layer.shape, request.precision, request.isa);
    kernels.run(pass);
    result.timings.emplace_back(measure([&] { kernels.run(pass); }, request.timing));
  }
  return result;
}

// One pass of all layers together, each as often as the model has it, at its best time: like the
// peak, what the machine does undisturbed.
struct Total {
  double ms = 0.0, gmac = 0.0;
};

Total total_of(const LayersResult& result, std::size_t pass) {
  Total total;
  for (const LayerResult& r : result.layers) {
    if (!r.timings[pass]) continue;
    total.ms += static_cast<double>(r.layer.count) * r.timings[pass]->best_ms;
    total.gmac += static_cast<double>(r.layer.count) * r.gmac;
  }
  return total;
}

nlohmann::ordered_json rate_json(const LayersResult& result, double gmac, double ms) {
  const double rate = ms > 0.0 ? 1000.0 * gmac / ms : 0.0;
  nlohmann::ordered_json json = {{"best_ms", ms}, {"gmac_per_s", rate}, {"share_of_peak", nullptr}};
  if (result.peak_gmac_per_s > 0.0) json["share_of_peak"] = rate / result.peak_gmac_per_s;
  return json;
}

std::string cells(const LayersResult& result, double gmac, double ms) {
  const double rate = ms > 0.0 ? 1000.0 * gmac / ms : 0.0;
  const std::string share =
      result.peak_gmac_per_s > 0.0 ? format("%.1f", 100.0 * rate / result.peak_gmac_per_s) : "-";
  return format("  %9.3f %8.1f %6s", ms, rate, share.c_str());
}

std::string describe(const Conv2dShape& s) {
  if (s.height * s.width * s.kernel_h * s.kernel_w == 1) {
    return message(s.in, " -> ", s.out, ", linear");
  }
  const std::string groups = s.groups > 1 ? message(", groups ", s.groups) : "";
  return message(s.height, "x", s.width, "x", s.in, " -> ", s.out, ", ", s.kernel_h, "x",
                 s.kernel_w, "/", s.stride, groups);
}

}  // namespace

const char* name_of(Pass pass) {
  switch (pass) {
    case Pass::kForward:
      return "forward";
    case Pass::kDataGradient:
      return "dgrad";
    case Pass::kWeightGradient:
      return "wgrad";
  }
  return "";
}

const char* name_of(Precision precision) { return precision == Precision::kBf16 ? "bf16" : "fp32"; }

LayersResult bench_layers(const LayersRequest& request) {
  LayersResult result{.request = request, .threads = num_threads(), .layers = {}};
  Shape& image = result.request.image_shape;
  if (image.rank() == 0) image = usual_image_shape(request.model);
  const auto model = make_model(request.model, {.image_shape = image});
  PeakWatch peak(name_of(request.precision), request.isa);
  for (const LayerShape& layer : distinct(layer_shapes(*model, image, request.batch))) {
    result.layers.push_back(measure_layer(layer, result.request));
  }
  peak.measure_again();
  result.peak_gmac_per_s = peak.gmac_per_s();
  return result;
}

nlohmann::ordered_json to_json(const LayersResult& result) {
  const LayersRequest& request = result.request;
  const Shape& image = request.image_shape;
  nlohmann::ordered_json json = {{"model", request.model},
                                 {"precision", name_of(request.precision)},
                                 {"image_shape", {image[0], image[1], image[2]}},
                                 {"batch", request.batch},
                                 {"threads", result.threads},
                                 {"isa", name_of(request.isa)},
                                 {"cpu", cpu_model_name()},
                                 {"peak_gmac_per_s", nullptr},
                                 {"layers", nlohmann::ordered_json::array()}};
  if (result.peak_gmac_per_s > 0.0) json["peak_gmac_per_s"] = result.peak_gmac_per_s;
  for (const LayerResult& r : result.layers) {
    const Conv2dShape& s = r.layer.shape;
    nlohmann::ordered_json row = {{"name", r.layer.name}, {"count", r.layer.count},
                                  {"height", s.height},   {"width", s.width},
                                  {"in", s.in},           {"out", s.out},
                                  {"kernel", s.kernel_h}, {"stride", s.stride},
                                  {"padding", s.padding}, {"groups", s.groups},
                                  {"gmac", r.gmac}};
    for (std::size_t p = 0; p < request.passes.size(); ++p) {
      if (!r.timings[p]) continue;
      row[name_of(request.passes[p])] = rate_json(result, r.gmac, r.timings[p]->best_ms);
      row[name_of(request.passes[p])]["median_ms"] = r.timings[p]->median_ms;
    }
    json["layers"].push_back(row);
  }
  for (std::size_t p = 0; p < request.passes.size(); ++p) {
    const Total total = total_of(result, p);
    json["total"][name_of(request.passes[p])] = rate_json(result, total.gmac, total.ms);
  }
  return json;
}

std::string to_table(const LayersResult& result) {
  const LayersRequest& request = result.request;
  std::string table = format("%s, %s, batch %lld, %d threads, %s; peak ", request.model.c_str(),
                             name_of(request.precision), static_cast<long long>(request.batch),
                             result.threads, std::string(name_of(request.isa)).c_str());
  table += result.peak_gmac_per_s > 0.0 ? format("%.1f GMAC/s\n\n", result.peak_gmac_per_s)
                                        : std::string("-\n\n");
  table += format("%-22s %3s %-24s", "", "", "");
  for (const Pass pass : request.passes) table += format("  %25s", name_of(pass));
  table += format("\n%-22s %3s %-24s", "layer (the first)", "n", "shape");
  for (std::size_t p = 0; p < request.passes.size(); ++p) table += "    best ms   GMAC/s      %";
  table += "\n";
  for (const LayerResult& r : result.layers) {
    table += format("%-22s %3lld %-24s", r.layer.name.c_str(),
                    static_cast<long long>(r.layer.count), describe(r.layer.shape).c_str());
    for (const auto& timing : r.timings) {
      table += timing ? cells(result, r.gmac, timing->best_ms) : format("  %25s", "-");
    }
    table += "\n";
  }
  table += format("%-51s", "total, n times each");
  for (std::size_t p = 0; p < request.passes.size(); ++p) {
    const Total total = total_of(result, p);
    table += cells(result, total.gmac, total.ms);
  }
  return table + "\n";
}

}  // namespace octet

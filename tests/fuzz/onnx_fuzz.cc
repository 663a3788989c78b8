// ONNX import: what is accepted computes one image, and is prepared, given the file's scales and
// converted, or refused there.
#include <onnx/onnx_pb.h>

#include <cmath>

#include "autograd/node.h"
#include "ir/graph.h"
#include "nn/trace.h"
#include "onnx/import.h"
#include "qat/convert.h"
#include "qat/prepare.h"
#include "qat/schedule.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/run_graph.h"

using namespace octet;

namespace {

constexpr std::int64_t kSmallImage = 1 << 12;

Tensor one_image(const Shape& image) {
  Tensor x = Tensor::empty({1, image[0], image[1], image[2]});
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    x.mutable_data()[i] = static_cast<float>(i % 256) / 64.0f - 2.0f;
  }
  return x;
}

void quantize(OnnxModel& imported, const Tensor& x) {
  qat::InputEncoding input{imported.pixels.value_or(QParams{0x1p-6f, 128}), {}};
  for (std::int64_t i = 0; i < 256 * imported.image_shape[2]; ++i) {
    input.table.push_back(static_cast<std::uint8_t>(i / imported.image_shape[2]));
  }
  qat::prepare(*imported.model, imported.image_shape, QConfig());
  {
    const qat::CalibrationGuard calibration(*imported.model);
    const NoGradGuard no_grad;
    (*imported.model)(x);
  }
  apply_quantization(*imported.model, imported.quantization);
  const ir::Graph graph = qat::convert(*imported.model, {.model = "onnx",
                                                         .dataset = "fuzz",
                                                         .class_names = {},
                                                         .image_shape = imported.image_shape,
                                                         .input = input});
  fuzz::must_not_throw([&] { fuzz::run_on_two_isas(graph); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::refuse_or_accept([&] {
    OnnxModel imported = parse_onnx(fuzz::to_bytes(data, size), "fuzz.onnx");
    fuzz::require(imported.classes >= 1, "a classifier has classes");
    if (imported.image_shape.numel() > kSmallImage) return;
    const Tensor x = one_image(imported.image_shape);
    fuzz::must_not_throw([&] {
      const NoGradGuard no_grad;
      const Tensor y = (*imported.model)(x);
      fuzz::require(y.shape() == Shape{1, imported.classes}, "the model gives a number per class");
    });
    quantize(imported, x);
  });
}

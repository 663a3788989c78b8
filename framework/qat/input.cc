#include "qat/input.h"

#include "base/parallel.h"

namespace octet::qat {

Tensor input_codes(std::span<const std::uint8_t> pixels, Shape shape,
                   const InputEncoding& encoding) {
  OCTET_CHECK(shape.rank() == 4 && static_cast<std::int64_t>(pixels.size()) == shape.numel(),
              "[input] ", pixels.size(), " pixels do not fill shape ", shape);
  const std::size_t channels = static_cast<std::size_t>(shape[3]);
  OCTET_CHECK(encoding.table.size() == 256 * channels, "[input] expects a table of ",
              256 * channels, " codes for ", channels, " channels, got ", encoding.table.size());
  Tensor x = Tensor::empty(std::move(shape));
  float* code = x.mutable_data();
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    code[i] = static_cast<float>(encoding.table[pixels[i] * channels + i % channels]);
  }
  x.set_qparams(encoding.qparams);
  return x;
}

Tensor input_codes(const Tensor& images, QParams qparams) {
  Tensor x = Tensor::empty(images.shape());
  const float* real = images.data();
  float* code = x.mutable_data();
  const float inv_scale = 1.0f / qparams.scale;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    code[i] =
        static_cast<float>(quantize_one(real[i], inv_scale, qparams.zero_point, kActivationRange));
  }
  x.set_qparams(qparams);
  return x;
}

}  // namespace octet::qat

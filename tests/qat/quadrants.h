#pragma once

#include <vector>

#include "ops/cross_entropy.h"
#include "tests/qat/nets.h"

// A problem that small networks learn in a few steps.
namespace octet::testing {

// Images whose class shows: noise, plus a bright quadrant.
struct Problem {
  std::vector<std::uint8_t> pixels;
  Tensor labels;
};

inline Problem quadrants(std::int64_t images, std::uint64_t seed) {
  Problem p{random_pixels(images, seed), Tensor::empty({images}, DType::kI32)};
  for (std::int64_t n = 0; n < images; ++n) {
    const std::int64_t label = n % 4;
    p.labels.mutable_data<std::int32_t>()[n] = static_cast<std::int32_t>(label);
    for (std::int64_t i = 0; i < kImage.numel(); ++i) {
      const std::int64_t h = i / 24, w = i / 3 % 8;
      std::uint8_t& pixel = p.pixels[static_cast<std::size_t>(n * kImage.numel() + i)];
      pixel = static_cast<std::uint8_t>(pixel / 2);
      if (h / 4 * 2 + w / 4 == label) pixel = static_cast<std::uint8_t>(pixel + 60);
    }
  }
  return p;
}

// One step of plain gradient descent; returns the loss.
inline float step(Module& model, const Tensor& x, const Tensor& labels, float lr) {
  for (NamedTensor& t : model.named_parameters()) t.tensor.set_grad({});
  const Tensor loss = cross_entropy(model(x), labels);
  backward(loss);
  for (NamedTensor& t : model.named_parameters()) {
    for (std::int64_t i = 0; i < t.tensor.numel(); ++i) {
      t.tensor.mutable_data()[i] -= lr * t.tensor.grad().data()[i];
    }
  }
  return loss.item();
}

inline double accuracy(const Tensor& logits, const Tensor& labels) {
  std::int64_t right = 0;
  const std::int64_t classes = logits.dim(1);
  for (std::int64_t n = 0; n < logits.dim(0); ++n) {
    const std::int32_t* row = logits.data<std::int32_t>() + n * classes;
    right += std::max_element(row, row + classes) - row == labels.data<std::int32_t>()[n];
  }
  return static_cast<double>(right) / static_cast<double>(logits.dim(0));
}

}  // namespace octet::testing

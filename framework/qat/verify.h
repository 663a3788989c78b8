#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/cpu.h"
#include "ir/graph.h"
#include "nn/leaf.h"
#include "qat/input.h"

namespace octet::qat {

// What verify counted. The proof holds if mismatched is 0.
struct VerifyReport {
  std::int64_t images = 0;
  std::int64_t tensors = 0;   // of the graph, per image
  std::int64_t elements = 0;  // compared, over all images
  std::int64_t mismatched = 0;
  std::int64_t max_lsb = 0;    // largest difference of two codes or logits
  std::string first_mismatch;  // "conv1 [image 3, element 17]: twin 12, graph 13"; empty if none
};

struct VerifyOptions {
  InputEncoding input;
  std::int64_t batch_size = 64;
  int threads = 1;
  Isa isa = default_isa();
};

// Runs the prepared model (the twin) and the integer graph on the same pixels and compares every
// tensor of the graph, by name, and the logits, image by image, also those of an engine that fuses
// steps, as it does outside of this comparison. The two computations share neither
// kernels nor weights: the twin reads the model's parameters and buffers, the executor the graph.
//   pixels: count * H * W * C
// Throws Error if the graph is not of this model (a tensor that the other side lacks).
VerifyReport verify(Module& model, const ir::Graph& graph, std::span<const std::uint8_t> pixels,
                    const VerifyOptions& options);

}  // namespace octet::qat

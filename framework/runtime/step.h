#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace octet {

class PackedModel;
struct Fusion;

// Where values are during one run. Values lie as [batch, ...], one image after the other.
struct Memory {
  std::int64_t batch = 0;
  ir::ValueId input_id = -1;
  const std::byte* input = nullptr;  // the caller's images
  std::vector<ir::ValueId> root;     // ValueTable::root
  std::vector<std::byte*> places;    // per root; the output's is the caller's logits

  const std::byte* read(ir::ValueId id) const {
    const ir::ValueId from = root[static_cast<std::size_t>(id)];
    return from == input_id ? input : places[static_cast<std::size_t>(from)];
  }
  bool in_arena(ir::ValueId id) const { return root[static_cast<std::size_t>(id)] != input_id; }
  const std::uint8_t* codes(ir::ValueId id) const {
    return reinterpret_cast<const std::uint8_t*>(read(id));
  }
  std::byte* write(ir::ValueId id) const { return places[static_cast<std::size_t>(id)]; }
  std::uint8_t* codes_to_write(ir::ValueId id) const {
    return reinterpret_cast<std::uint8_t*>(write(id));
  }
};

// One node, of an integer graph or of a float model, made ready to run. Its work is cut into items
// which do not depend on each other, so that threads share them; how it is cut depends on shapes
// alone. Immutable, so several threads run one step at a time.
class Step {
 public:
  virtual ~Step() = default;

  virtual std::int64_t items(std::int64_t batch) const noexcept = 0;

  // Multiply-accumulates for one image, about; 0 where there are no products.
  virtual std::int64_t products() const noexcept { return 0; }

  // Memory that `run` needs, one per thread.
  virtual std::size_t scratch_bytes() const noexcept { return 0; }

  // Computes the items [begin, end).
  virtual void run(const Memory& memory, std::int64_t begin, std::int64_t end,
                   std::byte* scratch) const noexcept = 0;
};

// Steps in execution order.
struct StepList {
  std::vector<std::unique_ptr<Step>> steps;
  std::vector<std::size_t> nodes;  // the node at whose place each step is

  // Null, the step of a node that computes nothing, is left out.
  void add(std::size_t node, std::unique_ptr<Step> step) {
    if (step == nullptr) return;
    steps.push_back(std::move(step));
    nodes.push_back(node);
  }
};

// The step of a node; null for a node that only renames a value (Flatten) or runs in another's step
// (`fusion`). Steps refer to the model, which must outlive them.
std::unique_ptr<Step> lower(const PackedModel& model, std::size_t node_index, const Fusion& fusion);

}  // namespace octet

#include "nn/dropout.h"

#include "base/rng.h"
#include "ops/dropout.h"

namespace octet {

Tensor Dropout::forward(Inputs x) {
  if (!is_training()) return x[0];
  OCTET_CHECK(position_.has_value(),
              "does not know where training stands: call set_dropout_position before each step");
  return dropout(x[0], {.p = o_.p,
                        .seed = position_->seed,
                        .epoch = position_->epoch,
                        .first_index = position_->first_index});
}

void Dropout::set_position(DropoutPosition position, std::uint32_t layer) {
  position_ = position;
  // Another seed for each layer.
  Rng rng(position.seed, RngPurpose::kDropout, 0xffffffff, layer);
  const std::uint64_t high = rng.next();
  position_->seed = high << 32 | rng.next();
}

void set_dropout_position(Module& model, DropoutPosition position) {
  std::uint32_t layer = 0;
  for (const auto& [name, leaf] : named_leaves(model)) {
    if (auto* d = dynamic_cast<Dropout*>(leaf)) d->set_position(position, layer++);
  }
}

}  // namespace octet

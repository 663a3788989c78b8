#pragma once

#include <memory>

#include "runtime/fusion.h"
#include "runtime/packed_model.h"
#include "runtime/step.h"

namespace octet {

// QConv2d and QLinear: rows that are tap lists (tap_lists.h) times packed weights.
//   reader: a QAdd or MaxPool2d that runs in the product's epilogue (fusion.h), -1 for none; then
//           the step writes its output and not the node's
std::unique_ptr<Step> make_product_step(const PackedModel& model, std::size_t node_index,
                                        NodeIndex reader);

}  // namespace octet

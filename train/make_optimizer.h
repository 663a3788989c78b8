#pragma once

#include <memory>
#include <vector>

#include "io/config.h"
#include "optim/optimizer.h"

namespace octet {

// The optimizer of a phase, with the options of `config`.
std::unique_ptr<Optimizer> make_optimizer(TrainConfig::Optimizer kind, const TrainConfig& config,
                                          const std::vector<NamedTensor>& parameters);

}  // namespace octet

#include "train/make_optimizer.h"

#include "optim/muon.h"
#include "optim/sgd.h"

namespace octet {

std::unique_ptr<Optimizer> make_optimizer(TrainConfig::Optimizer kind, const TrainConfig& config,
                                          const std::vector<NamedTensor>& parameters) {
  SgdOptions sgd{.momentum = static_cast<float>(config.momentum),
                 .nesterov = config.nesterov,
                 .weight_decay = static_cast<float>(config.weight_decay)};
  if (!config.decay_norm_and_bias) sgd.decays = is_layer_weight;
  switch (kind) {
    case TrainConfig::Optimizer::kSgd:
      break;
    case TrainConfig::Optimizer::kMuon:
      return std::make_unique<Muon>(
          parameters, MuonOptions{.lr_ratio = static_cast<float>(config.muon.lr / config.lr),
                                  .momentum = static_cast<float>(config.muon.momentum),
                                  .weight_decay = static_cast<float>(config.muon.weight_decay),
                                  .iterations = config.muon.iterations,
                                  .others = std::move(sgd)});
  }
  return std::make_unique<Sgd>(parameters, sgd);
}

}  // namespace octet

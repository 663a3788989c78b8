#pragma once

#include "io/config.h"
#include "optim/lr_schedule.h"

namespace octet {

// The learning rates of a phase of `epochs` epochs of `batches` batches, as the config names them.
LrSchedule make_schedule(TrainConfig::Schedule kind, double lr, double warmup_epochs,
                         std::int64_t epochs, std::int64_t batches);

}  // namespace octet

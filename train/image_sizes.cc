#include "train/image_sizes.h"

#include <set>

#include "autograd/node.h"
#include "eval/run_files.h"

namespace octet {

void check_image_sizes(const Config& config, const Dataset& train) {
  const ProgressiveOptions& progressive = config.data.progressive;
  if (progressive.start_size == 0 || config.train.epochs == 0) return;
  const Shape full = train.image_shape();
  try {
    validate(progressive, full);
  } catch (const Error& error) {
    throw UsageError(message("data.progressive: ", error.what()));
  }
  if (progressive.end_ramp >= config.train.epochs) {
    throw UsageError(message("data.progressive.end_ramp: ", progressive.end_ramp,
                             " is not before the end of the ", config.train.epochs,
                             " epochs, so no epoch would have images of full size"));
  }

  std::set<std::int64_t> sizes;
  for (std::int64_t epoch = 0; epoch <= progressive.end_ramp; ++epoch) {
    sizes.insert(image_size(progressive, full[0], epoch));
  }
  const NoGradGuard no_grad;
  const std::unique_ptr<Module> model = build_model(config, train);
  model->eval();
  for (const std::int64_t size : sizes) {
    try {
      (*model)(Tensor::zeros({1, size, size, full[2]}));
    } catch (const Error& error) {
      throw UsageError(message("data.progressive: ", config.model.name, " does not take images of ",
                               size, " x ", size, " beside those of ", full[0], " x ", full[1],
                               ": ", error.what()));
    }
  }
}

}  // namespace octet

#include "train/rehearse.h"

#include "autograd/node.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/rng.h"
#include "eval/run_files.h"
#include "inference/float_executor.h"
#include "ir/model_file.h"
#include "nn/leaf.h"
#include "qat/schedule.h"
#include "train/finish.h"

namespace octet {
namespace {

// Two images of noise, about as large as normalized pixels are: no tensor is constant.
Tensor random_images(const Shape& shape, std::uint64_t seed) {
  Tensor images = Tensor::zeros({2, shape[0], shape[1], shape[2]});
  Rng rng(seed, RngPurpose::kInit);
  float* values = images.mutable_data<float>();
  for (std::int64_t i = 0; i < images.numel(); ++i) values[i] = rng.uniform(-2.0f, 2.0f);
  return images;
}

}  // namespace

void rehearse_end(Module& model, const Config& config, const DatasetSplits& data) {
  initialize(model, config.run.seed);
  model.eval();
  try {
    pack_float_model(model, data.train->image_shape(), process_isa());
  } catch (const Error& error) {
    throw Error(message("this model could be trained, but not evaluated: ", error.what()));
  }
  if (config.quantize.method == QuantizeConfig::Method::kNone) return;
  try {
    prepare_model(model, config, *data.train);
    {
      const NoGradGuard no_grad;
      const qat::CalibrationGuard calibration(model);
      model(random_images(data.train->image_shape(), config.run.seed));
    }
    ir::parse_model(ir::serialize_model(convert_model(config, data, model)), "the model file");
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw Error(message("this model could be trained, but not become integers: ", error.what(),
                        "; quantize.method=none trains its float form alone"));
  }
}

}  // namespace octet

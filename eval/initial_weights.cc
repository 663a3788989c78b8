#include "eval/initial_weights.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "eval/onnx_model.h"
#include "eval/run_files.h"
#include "file/printable.h"
#include "io/weights.h"
#include "models/torch_names.h"
#include "onnx/import.h"

namespace octet {

// The model's tensors go by the names that the file has for them, so that messages speak of these.
void copy_torch_weights(std::vector<NamedTensor> from, std::vector<NamedTensor> to,
                        const std::string& model, const std::string& path) {
  std::set<std::string> there;
  for (const NamedTensor& tensor : from) there.insert(tensor.name);
  for (NamedTensor& target : to) {
    const TorchTensor torch = torch_tensor(model, target.name);
    if (there.count(target.name) == 0) target.name = torch.name;
    if (torch.flattened_channels == 0) continue;
    for (NamedTensor& given : from) {
      if (given.name != target.name) continue;
      try {
        given.tensor = turn_flattened_columns(given, torch.flattened_channels);
      } catch (const Error& error) {
        throw Error(message("\"", printable(path), "\": ", error.what()));
      }
    }
  }
  copy_weights(from, to, path);
}

// not fuzzed: the file system; parse_weights and copy_torch_weights are the readers
void load_initial_weights(Module& model, const Config& config, const Dataset& dataset) {
  const std::string& path = config.model.init_from;
  if (is_onnx_file(path)) {
    const OnnxModel file = import_onnx(path, dataset.image_shape());
    return copy_weights(state_tensors(*file.model), state_tensors(model), path);
  }
  WeightsFile file = read_weights(path);
  if (!file.is_torch) return copy_weights(file.tensors, state_tensors(model), path);
  copy_torch_weights(std::move(file.tensors), state_tensors(model), config.model.name, path);
}

}  // namespace octet

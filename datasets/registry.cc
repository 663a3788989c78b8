#include "datasets/registry.h"

#include "base/error.h"
#include "base/nearest.h"
#include "datasets/cifar10.h"
#include "datasets/image_folder.h"
#include "datasets/mnist.h"

namespace octet {
namespace {

struct Entry {
  const char* name;
  DatasetSplits (*load)(const std::string& root, const DatasetOptions& options);
};

constexpr Entry kDatasets[] = {
    {"mnist", [](const std::string& root,
                 const DatasetOptions& options) { return load_mnist(root, options.splits); }},
    {"fashion_mnist",
     [](const std::string& root, const DatasetOptions& options) {
       return load_fashion_mnist(root, options.splits);
     }},
    {"cifar10", [](const std::string& root,
                   const DatasetOptions& options) { return load_cifar10(root, options.splits); }},
    {"image_folder",
     [](const std::string& root, const DatasetOptions& options) {
       return load_image_folder(root, options.image_shape, options.splits);
     }},
    {"mnist_sample", [](const std::string&, const DatasetOptions&) { return load_mnist_sample(); }},
};

}  // namespace

std::vector<std::string> registered_datasets() {
  std::vector<std::string> names;
  for (const Entry& entry : kDatasets) names.emplace_back(entry.name);
  return names;
}

DatasetSplits load_dataset(const std::string& name, const std::string& root,
                           const DatasetOptions& options) {
  for (const Entry& entry : kDatasets) {
    if (name != entry.name) continue;
    if (options.image_shape.rank() != 0 && name != "image_folder") {
      throw UsageError(message("data.image_shape ", options.image_shape,
                               " is for image_folder; the images of ", name, " stay as they are"));
    }
    return entry.load(root, options);
  }
  throw UsageError(message("there is no dataset \"", name, "\"; did you mean \"",
                           nearest(name, registered_datasets()), "\"?"));
}

}  // namespace octet

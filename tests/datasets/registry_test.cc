#include "datasets/registry.h"

#include <doctest/doctest.h>

#include <string>

#include "base/error.h"

namespace octet {
namespace {

std::string error_of(const std::string& name, const std::string& root) {
  try {
    load_dataset(name, root);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST_CASE("registry: an unknown name is a usage error that suggests the nearest one") {
  CHECK_THROWS_AS(load_dataset("cifar-10", "data"), UsageError);
  CHECK(error_of("cifar-10", "data").find("did you mean \"cifar10\"") != std::string::npos);
  CHECK(error_of("mnits", "data").find("did you mean \"mnist\"") != std::string::npos);
}

TEST_CASE("registry: a missing dataset is an error that names the file and the command") {
  for (const std::string name : {"mnist", "fashion_mnist", "cifar10"}) {
    const std::string error = error_of(name, "/nowhere");
    CAPTURE(error);
    CHECK(error.find("/nowhere/" + name + "/") != std::string::npos);
    CHECK(error.find("datasets/fetch.sh " + name + " --root /nowhere") != std::string::npos);
  }
  CHECK(error_of("image_folder", "/nowhere").find("/nowhere/train") != std::string::npos);
}

TEST_CASE("registry: mnist_sample comes with the repository, train and test apart") {
  const DatasetSplits splits = load_dataset("mnist_sample", "/nowhere");
  CHECK(splits.train->size() == 800);
  CHECK(splits.test->size() == 200);
  CHECK(splits.train->image_shape() == Shape{28, 28, 1});
  CHECK(splits.train->class_names().size() == 10);
  CHECK(splits.train->get(0).label == 7);  // the well-known first ten of t10k: 7 2 1 0 4 1 4 9 5 9
  CHECK(splits.train->get(9).label == 9);
  CHECK(splits.train->sha256() != splits.test->sha256());
}

TEST_CASE("registry: an image shape for a dataset that has its own is refused") {
  CHECK_THROWS_WITH_AS(load_dataset("mnist_sample", "/nowhere", {.image_shape = {32, 32, 1}}),
                       "data.image_shape [32, 32, 1] is for image_folder; the images of "
                       "mnist_sample stay as they are",
                       UsageError);
}

TEST_CASE("registry: every registered name is known to load_dataset") {
  for (const std::string& name : registered_datasets()) {
    CHECK(error_of(name, "/nowhere").find("there is no dataset") == std::string::npos);
  }
}

}  // namespace
}  // namespace octet

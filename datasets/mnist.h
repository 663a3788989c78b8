#pragma once

#include <string>

#include "data/dataset.h"
#include "datasets/dataset_file.h"

namespace octet {

// MNIST (LeCun, Cortes and Burges): 60,000 training and 10,000 test images of handwritten digits,
// 28 x 28 x 1. Reads <root>/mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.
// All functions here throw Error with file, byte and remedy when a file is missing or not right;
// pixels are the codes of the integer model (data/normalize.h).
DatasetSplits load_mnist(const std::string& root, Splits splits = Splits::kAll,
                         Checksums checksums = Checksums::kVerify);

// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747): the same format and sizes,
// articles of clothing. Reads <root>/fashion_mnist/.
DatasetSplits load_fashion_mnist(const std::string& root, Splits splits = Splits::kAll,
                                 Checksums checksums = Checksums::kVerify);

// The first 1,000 images of MNIST's test set, which lie in the repository: 800 to train and 200 to
// test, for tests and for smoke runs without a network. Accuracy on it means nothing.
DatasetSplits load_mnist_sample();

}  // namespace octet

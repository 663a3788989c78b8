#pragma once

#include <string>

namespace octet::testing {

// A network trained on nothing: what matters here are its files.
inline const std::string kQuick =
    "--set data.name=mnist_sample --set train.epochs=0 --set quantize.epochs=0 --threads 1 ";
inline const std::string kConfig =
    "train --config " OCTET_SOURCE_DIR "/configs/lenet_qat.yaml " + kQuick;

}  // namespace octet::testing

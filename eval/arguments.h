#pragma once

#include <cxxopts.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "eval/compare_models.h"
#include "eval/export_onnx.h"

namespace octet {

// What eval was asked for.
struct Arguments {
  std::string path;
  std::vector<std::string> image_files;  // to classify, instead of the test set
  int top = 3;
  bool resize = false;
  std::string trace;          // the file that --trace names
  bool profile = false;       // --profile or --trace, of form int8 or fp32
  std::string form = "int8";  // "int8", "fp32", "fake-quant", "verify", "describe"
  bool json = false;
  Isa isa = Isa::kScalar;
  int threads = 1;
  std::int64_t batch = 64;
  std::int64_t images = 0;  // 0: all
  std::string data;
  std::optional<double> require_top1;
  std::optional<ModelForm> compare;  // with this model; an empty path: the same
  OnnxRequest onnx;
};

// The options of the program, with their help.
cxxopts::Options make_options();

// Also sets the process' instruction set and number of threads. Throws UsageError for values and
// combinations that make no sense.
Arguments read_arguments(const cxxopts::ParseResult& parsed);

}  // namespace octet

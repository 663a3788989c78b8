#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/shape.h"
#include "data/progressive.h"
#include "data/transform.h"
#include "io/config_range.h"
#include "ops/autocast.h"
#include "quant/qconfig.h"

// The configuration of a run. A key of the YAML file is the name of its field, always. To add one:
// the field with its default, and its line in `visit` with the allowed range and one line of help.
// Enums are written by their names (enum_names below).
namespace octet {

struct RunConfig {
  std::string name = "run";
  std::uint64_t seed = 1;
  int threads = 0;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("name", c.name, {}, "run folders are runs/<name>-001, -002, ...");
    v("seed", c.seed, {}, "everything random is a function of it");
    v("threads", c.threads, within(0, 1024),
      "0: OMP_NUM_THREADS, or as many as there are processors");
  }
  bool operator==(const RunConfig&) const = default;
};

// The keys of an options struct that another folder owns.
struct AugmentFields {
  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("shift", c.shift, within(0, 1024), "moves by up to this many pixels along x and y");
    v("rotate_degrees", c.rotate_degrees, within(0, 180), "turns by up to this many degrees");
    v("scale", c.scale, within(0, 0.9), "resizes by a factor in [1 - scale, 1 + scale]");
    v("shear", c.shear, within(0, 2), "moves x by k y, k up to this");
    v("crop_padding", c.crop_padding, within(0, 1024),
      "pads all sides by this many black pixels, then crops at random");
    v("flip", c.flip, {}, "mirrors left and right in half of the cases");
    v("alternate_flip", c.alternate_flip, {},
      "instead: mirrors each image in every second epoch, so that any two show both sides");
    v("cutout", c.cutout, within(0, 1024),
      "side of a square hole of the mean pixel, in pixels; 0: none");
  }
};

struct ProgressiveFields {
  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("start_size", c.start_size, within(0, 4096),
      "side of the training images at first, in pixels; 0: full size always");
    v("start_ramp", c.start_ramp, within(0, 100000), "they grow from this epoch on, evenly");
    v("end_ramp", c.end_ramp, within(0, 100000), "and have their full size from this epoch on");
    v("multiple", c.multiple, within(1, 1024), "sides between are rounded down to a multiple");
  }
};

struct DataConfig {
  std::string name = "mnist";
  std::string root = "data";
  Shape image_shape;              // rank 0: as they are
  std::vector<double> mean, std;  // of the normalization, one per channel; empty: the dataset's own
  int batch_size = 128;
  int validation_size = 0;
  AugmentOptions augment;
  ProgressiveOptions progressive;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("name", c.name, {}, "which dataset (names below)");
    v("root", c.root, {}, "the folder that holds datasets; of image_folder: train/ and test/");
    v("image_shape", c.image_shape, within(1, 16384),
      "[H, W, C] to convert image_folder's images to; []: as they are");
    v("mean", c.mean, within(0, 1),
      "one per channel; a pixel p is (p / 255 - mean) / std to the network; []: the dataset's own");
    v("std", c.std, within(0.001, 1000), "the same; mean and std go together");
    v("batch_size", c.batch_size, within(1, 65536), "images per training step");
    v("validation_size", c.validation_size, at_least(0),
      "samples split off the training set to decide on; 0: none");
    v.template section<AugmentFields>("augment", c.augment);
    v.template section<ProgressiveFields>("progressive", c.progressive);
  }
  bool operator==(const DataConfig&) const = default;
};

struct ModelConfig {
  std::string name = "lenet";
  int padding = 2;
  bool zero_init_residual = true;
  std::string init_from;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("name", c.name, {}, "which network (names below)");
    v("padding", c.padding, within(0, 16),
      "of the first convolution, in a model that leaves the choice");
    v("zero_init_residual", c.zero_init_residual, {},
      "ResNet: the last gamma of each block starts at 0, each block as its shortcut");
    v("init_from", c.init_from, {},
      "start from this checkpoint, .safetensors or .onnx file; empty: random");
  }
  bool operator==(const ModelConfig&) const = default;
};

struct MuonConfig {
  double lr = 0.02;
  double momentum = 0.95;
  double weight_decay = 0.05;
  int iterations = 5;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("lr", c.lr, above(0), "muon's highest learning rate, on the schedule of train.lr");
    v("momentum", c.momentum, from_below(0, 1), "Nesterov's form");
    v("weight_decay", c.weight_decay, at_least(0), "decoupled: a weight shrinks by lr times this");
    v("iterations", c.iterations, within(1, 10), "of Newton-Schulz, which make a step orthogonal");
  }
  bool operator==(const MuonConfig&) const = default;
};

struct TrainConfig {
  enum class Optimizer { kSgd, kMuon };
  enum class Schedule { kConstant, kCosine, kOneCycle };
  using Precision = octet::Precision;

  int epochs = 10;
  Optimizer optimizer = Optimizer::kSgd;
  double lr = 0.05;
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 5e-4;
  bool decay_norm_and_bias = false;
  Schedule schedule = Schedule::kCosine;
  double warmup_epochs = 0.0;
  double label_smoothing = 0.0;
  double clip_grad_norm = 0.0;
  double ema_decay = 0.0;
  int bn_reestimate_batches = 0;
  bool round_to_fp16 = false;
  Precision precision = Precision::kFp32;
  MuonConfig muon;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("epochs", c.epochs, within(0, 100000), "passes over the training set in float; 0: none");
    v("optimizer", c.optimizer, {},
      "of the float phase (QAT: sgd); muon: for the weights of convolutions, sgd for the rest");
    v("lr", c.lr, above(0), "the schedule's highest learning rate");
    v("momentum", c.momentum, from_below(0, 1), "of the optimizer; 0: none");
    v("nesterov", c.nesterov, {}, "Nesterov's form of momentum");
    v("weight_decay", c.weight_decay, at_least(0), "L2 penalty, as PyTorch's SGD adds it");
    v("decay_norm_and_bias", c.decay_norm_and_bias, {},
      "whether biases and batch norm's parameters decay too");
    v("schedule", c.schedule, {}, "of the learning rate");
    v("warmup_epochs", c.warmup_epochs, at_least(0),
      "the learning rate rises linearly at first (one_cycle rises by itself)");
    v("label_smoothing", c.label_smoothing, from_below(0, 1),
      "share of the target that all classes get alike");
    v("clip_grad_norm", c.clip_grad_norm, at_least(0),
      "a longer gradient is shortened to this norm; 0: never");
    v("ema_decay", c.ema_decay, from_below(0, 1), "moving average of the weights; 0: none");
    v("bn_reestimate_batches", c.bn_reestimate_batches, within(0, 1000000),
      "afterwards batch norm's statistics are averaged over this many batches; 0: they stay");
    v("round_to_fp16", c.round_to_fp16, {},
      "the float model ends with weights of half precision; model_fp16.safetensors holds them too");
    v("precision", c.precision, {},
      "of the operands of the float phase's products; all else, QAT and evaluation are fp32");
    v.section("muon", c.muon);
  }
  bool operator==(const TrainConfig&) const = default;
};

struct WeightFields {  // of a TensorQConfig
  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v.one_of("observer", c.observer, kObservers, "how the range of values is watched");
    v.one_of("qscheme", c.qscheme, kSchemes, "what shares a scale");
    v("averaging_constant", c.averaging_constant, within(1e-6, 1),
      "weight of the newest values in moving_average");
    v("bits", c.bits, within(2, 8), "codes in [-(2^(bits-1) - 1), 2^(bits-1) - 1]");
  }
  static constexpr std::array kObservers = {ObserverKind::kMinMax, ObserverKind::kMovingAverage};
  static constexpr std::array kSchemes = {QScheme::kPerChannelSymmetric,
                                          QScheme::kPerTensorSymmetric};
};

struct ActivationFields {  // of a TensorQConfig
  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v.one_of(
        "observer", c.observer, kObservers,
        "how the range of values is watched; histogram: cuts off what costs more than it gains");
    v.one_of("qscheme", c.qscheme, kSchemes, "affine: any zero point; symmetric: the middle code");
    v("averaging_constant", c.averaging_constant, within(1e-6, 1),
      "weight of the newest batch in moving_average");
    v("bits", c.bits, within(2, 8), "codes in [0, 2^bits - 1]");
  }
  static constexpr std::array kObservers = {ObserverKind::kMinMax, ObserverKind::kMovingAverage,
                                            ObserverKind::kHistogram};
  static constexpr std::array kSchemes = {QScheme::kPerTensorAffine, QScheme::kPerTensorSymmetric};
};

struct QConfigFields {
  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v.template section<WeightFields>("weight", c.weight);
    v.template section<ActivationFields>("activation", c.activation);
  }
};

struct QuantizeConfig {
  enum class Method { kNone, kPtq, kDynamic, kWeightOnly, kFp16, kQat };

  Method method = Method::kNone;
  int epochs = 2;
  double lr = 0.005;
  TrainConfig::Schedule schedule = TrainConfig::Schedule::kCosine;
  double warmup_epochs = 0.0;
  int calibration_batches = 32;
  int freeze_observer_epoch = 1;
  int freeze_bn_epoch = 1;
  TensorQConfig weight = QConfig().weight;
  TensorQConfig activation = QConfig().activation;
  // By the leaf's name. What the file leaves out is as in `weight` and `activation` above.
  std::map<std::string, QConfig> layers;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("method", c.method, {}, "ptq: calibrate, convert; qat: train on with fake quantization");
    v("epochs", c.epochs, within(0, 100000), "of quantization-aware training (qat)");
    v("lr", c.lr, above(0), "the highest learning rate of qat");
    v("schedule", c.schedule, {}, "of qat's learning rate");
    v("warmup_epochs", c.warmup_epochs, at_least(0), "as in train, of qat");
    v("calibration_batches", c.calibration_batches, within(1, 1000000),
      "batches that the observers see before qat, or in ptq");
    v("freeze_observer_epoch", c.freeze_observer_epoch, at_least(0),
      "scales stay as they are from this epoch of qat on");
    v("freeze_bn_epoch", c.freeze_bn_epoch, at_least(0),
      "batch norm uses its running statistics from this epoch of qat on");
    v.template section<WeightFields>("weight", c.weight);
    v.template section<ActivationFields>("activation", c.activation);
    v.layers("layers", c.layers, QConfig{c.weight, c.activation});
  }
  bool operator==(const QuantizeConfig&) const = default;
};

struct CheckpointConfig {
  double every_seconds = 60.0;
  int keep = 2;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("every_seconds", c.every_seconds, at_least(0),
      "seconds between checkpoints; 0: one after every step");
    v("keep", c.keep, within(1, 2),
      "how many checkpoints stay: the last, or the one before it too");
  }
  bool operator==(const CheckpointConfig&) const = default;
};

struct EvalConfig {
  enum class Form { kFloat, kFakeQuant, kInt8 };

  std::vector<Form> forms = {Form::kFloat, Form::kInt8};
  int images = 0;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v("forms", c.forms, {},
      "what a run evaluates at its end; fake-quant, the imitation of int8, takes by far the "
      "longest");
    v("images", c.images, at_least(0), "test images for that; 0: all");
  }
  bool operator==(const EvalConfig&) const = default;
};

struct Config {
  RunConfig run;
  DataConfig data;
  ModelConfig model;
  TrainConfig train;
  QuantizeConfig quantize;
  CheckpointConfig checkpoint;
  EvalConfig eval;

  template <class Self, class Visitor>
  static void visit(Self& c, Visitor& v) {
    v.section("run", c.run);
    v.section("data", c.data);
    v.section("model", c.model);
    v.section("train", c.train);
    v.section("quantize", c.quantize);
    v.section("checkpoint", c.checkpoint);
    v.section("eval", c.eval);
  }
  bool operator==(const Config&) const = default;
};

// Names of enumerators in files and messages, in order.
constexpr std::array<std::string_view, 2> enum_names(TrainConfig::Optimizer) {
  return {"sgd", "muon"};
}
constexpr std::array<std::string_view, 3> enum_names(TrainConfig::Schedule) {
  return {"constant", "cosine", "one_cycle"};
}
constexpr std::array<std::string_view, 2> enum_names(TrainConfig::Precision) {
  return {"fp32", "bf16"};
}
constexpr std::array<std::string_view, 6> enum_names(QuantizeConfig::Method) {
  return {"none", "ptq", "dynamic", "weight_only", "fp16", "qat"};
}
constexpr std::array<std::string_view, 3> enum_names(EvalConfig::Form) {
  return {"float", "fake-quant", "int8"};
}
template <class E>
requires requires(E e) { enum_names(e); }
constexpr std::string_view name_of(E value) {
  return enum_names(value)[static_cast<std::size_t>(value)];
}

// Values that are known, but refused when read.
constexpr bool is_implemented(QuantizeConfig::Method method) {
  return method == QuantizeConfig::Method::kNone || method == QuantizeConfig::Method::kPtq ||
         method == QuantizeConfig::Method::kQat;
}

// Reads a file: first what its `_base_` names (a path or a list of paths, relative to the file, or
// else to `configs_dir`; merged left to right), then its own keys, then `overrides`
// ("train.lr=0.1", the texts of --set).
// Maps merge deeply, everything else is replaced. Throws UsageError that starts with
// "file:line:column: " or "--set train.lr=0.1: " on an unknown or duplicate key, a wrong type, a
// value out of range or not implemented, a cycle of bases, more than 256 KiB, anchors, aliases,
// tags.
Config load_config(const std::string& path, const std::vector<std::string>& overrides = {},
                   const std::string& configs_dir = "");

// The same for YAML in memory; `source_name` stands for the path.
Config parse_config(const std::string& yaml, const std::string& source_name,
                    const std::vector<std::string>& overrides = {});

// `path` if there is such a file, else `configs_dir`/`path`. Throws UsageError that names both and
// lists what `configs_dir` has.
std::string find_config(const std::string& path, const std::string& configs_dir = "configs");

// All keys with their values; parse_config(to_yaml(c)) == c.
std::string to_yaml(const Config& config);

struct ConfigDifference {
  std::string key;  // "train.lr"
  std::string before, after;
  bool operator==(const ConfigDifference&) const = default;
};

// Keys whose values differ, in the order of the file. A key that only one of them has (a layer's)
// reads "" in the other.
std::vector<ConfigDifference> config_differences(const Config& before, const Config& after);

// One line per key: default, help, allowed values.
std::string describe_config();

}  // namespace octet

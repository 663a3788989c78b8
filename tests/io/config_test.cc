#include "io/config.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/rng.h"
#include "file/atomic_write.h"
#include "io/config_fields.h"
#include "tests/file/temp_folder.h"
#include "tests/io/config_error.h"

namespace octet {
namespace {

using testing::error_of;

// YAML with one value under a key such as "train.lr".
std::string yaml_with(const std::string& key, const std::string& value) {
  const std::size_t dot = key.find('.');
  if (dot == std::string::npos) return message(key, ": ", value, "\n");
  return message(key.substr(0, dot), ": {", yaml_with(key.substr(dot + 1), value), "}\n");
}

std::string one_line(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), '\n'), text.end());
  return text;
}

}  // namespace

TEST_CASE("config: an empty file gives the defaults, and every key can be written") {
  CHECK(parse_config("", "c.yaml") == Config());
  CHECK(parse_config("# nothing\n", "c.yaml") == Config());
  CHECK(parse_config("train:\n", "c.yaml") == Config());
  const Config config = parse_config(R"(
run: {name: "a b", seed: 18446744073709551615, threads: 2}
data:
  name: cifar10
  root: /d
  image_shape: [32, 48, 3]
  mean: [0.4914, 0.5, 1]
  std: [0.25, 1e-2, 3]
  batch_size: 64
  validation_size: 5000
  augment: {shift: 1.5, rotate_degrees: 10, scale: 0.1, shear: .2, crop_padding: 4, flip: true,
            alternate_flip: true, cutout: 8}
  progressive: {start_size: 16, start_ramp: 1, end_ramp: 9, multiple: 4}
model: {name: resnet20, padding: 0, zero_init_residual: false, init_from: x.safetensors}
train: {epochs: 0, muon: {lr: 0.5, momentum: 0, weight_decay: 1e-2, iterations: 3}, optimizer: muon, lr: 5e-4, momentum: 0, nesterov: true, weight_decay: 1e-3,
        decay_norm_and_bias: true, schedule: one_cycle, warmup_epochs: 0.5, label_smoothing: 0.1,
        clip_grad_norm: 1, ema_decay: 0.999, bn_reestimate_batches: 200, round_to_fp16: true, precision: fp32}
quantize:
  method: qat
  epochs: 3
  lr: 1e-3
  schedule: constant
  warmup_epochs: 1
  calibration_batches: 4
  freeze_observer_epoch: 1000
  freeze_bn_epoch: 2
  weight: {observer: moving_average, qscheme: per_tensor_symmetric, averaging_constant: 1, bits: 7}
  activation: {observer: min_max, qscheme: per_tensor_symmetric, averaging_constant: 0.1, bits: 6}
  layers:
    layer1.0.conv2: {weight: {bits: 8}}
    fc: {activation: {observer: moving_average}}
checkpoint: {every_seconds: 0, keep: 1}
eval: {forms: [int8, fake-quant, int8], images: 512}
)",
                                     "c.yaml");
  CHECK(config.run == RunConfig{"a b", 18446744073709551615u, 2});
  CHECK(config.data == DataConfig{"cifar10",
                                  "/d",
                                  {32, 48, 3},
                                  {0.4914, 0.5, 1},
                                  {0.25, 0.01, 3},
                                  64,
                                  5000,
                                  {1.5f, 10, 0.1f, 0.2f, 4, true, true, 8},
                                  {16, 1, 9, 4}});
  CHECK(config.model == ModelConfig{"resnet20", 0, false, "x.safetensors"});
  CHECK(config.train == TrainConfig{0, TrainConfig::Optimizer::kMuon, 5e-4, 0, true, 1e-3, true,
                                    TrainConfig::Schedule::kOneCycle, 0.5, 0.1, 1, 0.999, 200, true,
                                    TrainConfig::Precision::kFp32, MuonConfig{0.5, 0, 1e-2, 3}});
  const TensorQConfig weight = {QScheme::kPerTensorSymmetric, ObserverKind::kMovingAverage, 7, 1};
  const TensorQConfig activation = {QScheme::kPerTensorSymmetric, ObserverKind::kMinMax, 6, 0.1f};
  CHECK(config.quantize.weight == weight);
  CHECK(config.quantize.activation == activation);
  // What a layer leaves out is what the whole model has.
  REQUIRE(config.quantize.layers.size() == 2);
  const QConfig conv2 = {{weight.qscheme, weight.observer, 8, 1}, activation};
  CHECK(config.quantize.layers.at("layer1.0.conv2") == conv2);
  CHECK(config.quantize.layers.at("fc").weight == weight);
  CHECK(config.quantize.layers.at("fc").activation.observer == ObserverKind::kMovingAverage);
  CHECK(config.checkpoint == CheckpointConfig{0, 1});
  CHECK(config.eval == EvalConfig{{EvalConfig::Form::kInt8, EvalConfig::Form::kFakeQuant}, 512});

  CHECK(parse_config(to_yaml(config), "c.yaml") == config);
  CHECK(to_yaml(parse_config(to_yaml(config), "c.yaml")) == to_yaml(config));
}

TEST_CASE("config: texts and numbers survive being written, whatever they look like") {
  for (const char* text :
       {"",   "true", "false", "null",   "~",    "1.5", "0x1",  "a b", "a: b",  "- x",
        "#c", "'q'",  "\"q\"", "\\",     "{",    "[",   "&a",   "*a",  "!t",    "%",
        "@",  "é",    " lead", "trail ", "a #b", "on",  "NULL", "-",   "/x/y.z"}) {
    Config config;
    config.run.name = text;
    config.quantize.layers[text] = {};
    config.train.lr = 0.1 + 0.2;
    config.train.weight_decay = 1e-300;
    CAPTURE(text);
    CHECK(parse_config(to_yaml(config), "c.yaml") == config);
  }
}

TEST_CASE("config: --set overrides, with the same checks") {
  const Config config = parse_config(
      "train: {lr: 1}", "c.yaml",
      {"train.lr=0.5", "train.lr=5e-2", "run.name=a=b", "data.augment={shift: 2, flip: true}",
       "data.image_shape=[8, 9, 1]", "data.augment.shift=1",
       "quantize.layers={layer1.conv: {weight: {bits: 4}}}", "model.init_from=\"\""});
  CHECK(config.train.lr == 0.05);
  CHECK(config.run.name == "a=b");
  CHECK(config.data.augment.shift == 1.0);
  CHECK(config.data.augment.flip);
  CHECK(config.data.image_shape == Shape{8, 9, 1});
  CHECK(config.quantize.layers.at("layer1.conv").weight.bits == 4);

  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"train.lrr=1", "unknown key \"lrr\" in train; did you mean \"lr\"? (keys: epochs,"},
      {"trian.lr=1", "unknown key \"trian\"; did you mean \"train\"? (keys: run,"},
      {"lr=1",
       "unknown key \"lr\"; did you mean \"train.lr\" or \"train.muon.lr\" or \"quantize.lr\"?"},
      {"train.lr", "expects key=value, such as train.lr=0.1"},
      {"=1", "expects key=value, such as train.lr=0.1"},
      {"", "expects key=value, such as train.lr=0.1"},
      {".=1", "unknown key \"\""},
      {"train.=1", "unknown key \"\" in train"},
      {"train.lr=", "train.lr expects a number, got nothing"},
      {"train.lr=fast", "train.lr expects a number, got \"fast\""},
      {"train.lr=0", "train.lr must be > 0, got 0"},
      {"train.lr=[", "a key must be a plain word (is a bracket left open?)"},
      {"train.lr=@", "malformed YAML"},
      {"train.lr.x=1", "a map cannot take the place of \"1\" from c.yaml:1:13"},
      {"train=5", "train expects a map of keys, got \"5\""},
      {"train={lr: 1, lr: 2}", "duplicate key \"lr\""},
      {"quantize.method=fp16", "quantize.method \"fp16\" is not implemented yet"},
      {"_base_=x", "unknown key \"_base_\""},
  };
  for (const auto& item : cases) {
    CAPTURE(item.text);
    const std::string error = error_of("train: {lr: 1}", {item.text});
    CAPTURE(error);
    CHECK(error.rfind(std::string("--set ") + item.text + ": " + item.error, 0) == 0);
  }
}

TEST_CASE("config: _base_ merges left to right, relative to its file, cycles are found") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "base");
  atomic_write(folder / "base/a.yaml", "train: {lr: 1, epochs: 1}\nrun: {name: a}\n");
  atomic_write(folder / "base/b.yaml", "_base_: a.yaml\ntrain: {lr: 2}\n");
  atomic_write(folder / "base/c.yaml", "train: {lr: 3, momentum: 0.5}\n");
  atomic_write(folder / "x.yaml", "_base_: [base/b.yaml, base/c.yaml]\ntrain: {momentum: 0.25}\n");
  const Config config = load_config(folder / "x.yaml", {"run.seed=7"});
  CHECK(config.run == RunConfig{"a", 7, 0});
  CHECK(config.train.lr == 3.0);
  CHECK(config.train.epochs == 1);
  CHECK(config.train.momentum == 0.25);

  const auto error_of_file = [&](const std::string& name) {
    try {
      load_config(folder / name);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  atomic_write(folder / "1.yaml", "_base_: 2.yaml\n");
  atomic_write(folder / "2.yaml", "_base_: [base/a.yaml, ./1.yaml]\n");
  CHECK(error_of_file("1.yaml") ==
        (folder / "2.yaml") + ":1:23: _base_ \"" + (folder / "1.yaml") + "\" leads back to itself");
  atomic_write(folder / "base/bad.yaml", "train:\n  lrr: 1\n");
  atomic_write(folder / "y.yaml", "_base_: base/bad.yaml\n");
  CHECK(error_of_file("y.yaml").rfind((folder / "base/bad.yaml") + ":2:3: unknown key \"lrr\"",
                                      0) == 0);
  // Each level names the one before it twice: 2^30 files if nobody counted.
  atomic_write(folder / "d0.yaml", "{}");
  for (int i = 1; i <= 30; ++i) {
    const std::string before = message("d", i - 1, ".yaml");
    atomic_write(folder / message("d", i, ".yaml"),
                 message("_base_: [", before, ", ", before, "]\n"));
  }
  CHECK(error_of_file("d30.yaml").find("more than 100 files") != std::string::npos);
  CHECK(error_of_file("none.yaml") ==
        "cannot open \"" + (folder / "none.yaml") + "\": No such file or directory");
}

TEST_CASE("config: the file is looked for as given, then in the folder of configs") {
  const TempFolder folder;
  atomic_write(folder / "lenet_qat.yaml", "{}");
  CHECK(find_config("lenet_qat.yaml", folder.path()) == folder / "lenet_qat.yaml");
  CHECK(find_config(folder / "lenet_qat.yaml", "configs") == folder / "lenet_qat.yaml");
  const std::string error = "there is no config \"lenet_qta.yaml\", nor \"" +
                            (folder / "lenet_qta.yaml") + "\"; did you mean \"lenet_qat.yaml\"? (" +
                            folder.path() + " has: lenet_qat.yaml)";
  CHECK_THROWS_WITH_AS(find_config("lenet_qta.yaml", folder.path()), error.c_str(), UsageError);
}

TEST_CASE("config: differences are named with both values") {
  Config a, b;
  CHECK(config_differences(a, b).empty());
  b.train.lr = 0.25;
  b.train.epochs = 11;
  b.quantize.layers["fc"] = {};
  const auto differences = config_differences(a, b);
  const std::size_t layer = config_fields(b).size() - config_fields(a).size();  // its keys
  REQUIRE(layer > 0);
  REQUIRE(differences.size() == 2 + layer);
  CHECK(differences[0] == ConfigDifference{"train.epochs", "10", "11"});
  CHECK(differences[1] == ConfigDifference{"train.lr", "0.05", "0.25"});
  CHECK(differences[2] == ConfigDifference{"quantize.layers.fc.weight.observer", "", "min_max"});
}

TEST_CASE("config: every key has its line of help, takes its own default and no wrong type") {
  const std::string help = describe_config();
  std::set<std::string> keys;
  for (const ConfigField& field : config_fields(Config())) {
    CAPTURE(field.key);
    CHECK(keys.insert(field.key).second);
    const std::size_t at = help.find(message("  ", field.key, ": "));
    REQUIRE(at != std::string::npos);
    const std::string line = help.substr(at, help.find('\n', at) - at);
    CHECK(line.find("  ", 2) != std::string::npos);  // two columns, however long the key
    CHECK_FALSE(field.doc.empty());
    CHECK(line.find(field.doc) != std::string::npos);
    const std::string value = field.value.empty() ? "\"\"" : field.value;
    CHECK(parse_config(one_line(yaml_with(field.key, value)), "c.yaml") == Config());
    for (const char* wrong : {"[-1, 2]", "{a: 1}", "~"}) {
      CAPTURE(wrong);
      CHECK(error_of(one_line(yaml_with(field.key, wrong))).find(field.key + " ") !=
            std::string::npos);
    }
  }
  for (const char* section : {"run.", "data.", "model.", "train.", "quantize.", "checkpoint."}) {
    const auto first = keys.lower_bound(section);
    CHECK((first != keys.end() && first->starts_with(section)));
  }
}

}  // namespace octet

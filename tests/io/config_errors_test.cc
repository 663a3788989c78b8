#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/rng.h"
#include "file/atomic_write.h"
#include "io/config_fields.h"
#include "tests/file/temp_folder.h"
#include "tests/io/config_error.h"

namespace octet {

using testing::error_of;

TEST_CASE("config: bad input, each with its place and its reason") {
  const struct {
    const char* yaml;
    const char* error;
  } cases[] = {
      {"train:\n  learning_rate: 1\n",
       "c.yaml:2:3: unknown key \"learning_rate\" in train; did you mean \"lr\"? (keys: epochs, "
       "optimizer, lr, momentum, nesterov, weight_decay, decay_norm_and_bias, schedule, "
       "warmup_epochs, label_smoothing, clip_grad_norm, ema_decay, bn_reestimate_batches, "
       "round_to_fp16, precision, muon)"},
      {"trian: {}\n",
       "c.yaml:1:1: unknown key \"trian\"; did you mean \"train\"? (keys: run, data, model, train, "
       "quantize, checkpoint, eval)"},
      {"train: {batch_size: 1}",
       "c.yaml:1:9: unknown key \"batch_size\" in train; did you mean \"data.batch_size\"? (keys:"},
      {"lr: 1",
       "c.yaml:1:1: unknown key \"lr\"; did you mean \"train.lr\" or \"train.muon.lr\" or "
       "\"quantize.lr\"?"},
      {"train: {zzzzzz: 1}", "c.yaml:1:9: unknown key \"zzzzzz\" in train (keys: epochs,"},
      {"train: {\"a\\x1b\": 1}", "c.yaml:1:9: \"a\\x1b\" has control characters"},
      {"quantize: {layers: {fc: {wieght: {}}}}",
       "c.yaml:1:26: unknown key \"wieght\" in quantize.layers.fc; did you mean \"weight\"?"},
      {"train: {lr: 1}\ntrain: {lr: 2}\n", "c.yaml:2:1: duplicate key \"train\""},
      {"train:\n  lr: 1\n  lr: 1\n", "c.yaml:3:3: duplicate key \"lr\""},
      {"quantize: {layers: {a: {}, a: {}}}", "c.yaml:1:28: duplicate key \"a\""},
      {"train: 5", "c.yaml:1:8: train expects a map of keys, got \"5\""},
      {"train: [1]", "c.yaml:1:8: train expects a map of keys, got a list"},
      {"- 1", "c.yaml:1:1: the file expects a map of keys, got a list"},
      {"hello", "c.yaml:1:1: the file expects a map of keys, got \"hello\""},
      {"quantize: {layers: [a]}", "quantize.layers expects a map of layers, got a list"},
      {"train: {lr: fast}", "c.yaml:1:13: train.lr expects a number, got \"fast\""},
      {"train: {lr: \"1\"}", "train.lr expects a number, got the text \"1\""},
      {"train: {lr: }", "train.lr expects a number, got nothing"},
      {"train: {lr: [1]}", "train.lr expects a number, got a list"},
      {"train: {lr: 0.1x}", "train.lr expects a number, got \"0.1x\""},
      {"train: {lr: 0}", "c.yaml:1:13: train.lr must be > 0, got 0"},
      {"train: {lr: -.1}", "train.lr must be > 0, got -.1"},
      {"train: {lr: nan}", "train.lr must be > 0, got nan"},
      {"train: {lr: inf}", "train.lr must be > 0, got inf"},
      {"train: {lr: 1e999}", "train.lr must be > 0, got 1e999"},
      {"train: {momentum: 1}", "train.momentum must be in [0, 1), got 1"},
      {"train: {epochs: 1.5}", "train.epochs expects a whole number, got \"1.5\""},
      {"train: {epochs: 1e3}", "train.epochs expects a whole number, got \"1e3\""},
      {"train: {epochs: -1}", "train.epochs must be in [0, 100000], got -1"},
      {"train: {epochs: 99999999999}", "train.epochs must be in [0, 100000], got 99999999999"},
      {"run: {seed: -1}", "run.seed expects a whole number of at least 0, got \"-1\""},
      {"run: {seed: 18446744073709551616}", "run.seed must be a number that the type can hold"},
      {"train: {nesterov: yes}", "train.nesterov expects true or false, got \"yes\""},
      {"train: {nesterov: 1}", "train.nesterov expects true or false, got \"1\""},
      {"train: {nesterov: \"true\"}", "expects true or false, got the text \"true\""},
      {"run: {name: true}", "run.name expects a text, got \"true\""},
      {"run: {name: {}}", "run.name expects a text, got a map"},
      {"run: {name: ~}", "run.name expects a text, got nothing"},
      {"data: {image_shape: 32}",
       "c.yaml:1:21: data.image_shape expects a list of three whole numbers [H, W, C], or [], got "
       "\"32\""},
      {"data: {image_shape: [32, 32]}", "c.yaml:1:21: data.image_shape expects a list of three"},
      {"data: {image_shape: [1, 1, 1, 1]}", "data.image_shape expects a list of three"},
      {"data: {image_shape: [28, 28, x]}",
       "c.yaml:1:30: data.image_shape expects a whole number, got \"x\""},
      {"data: {image_shape: [28, 0, 1]}", "data.image_shape must be in [1, 16384], got 0"},
      {"data: {image_shape: [28, [28], 1]}", "data.image_shape expects a whole number, got a list"},
      {"data: {mean: 0.5}", "c.yaml:1:14: data.mean expects a list of numbers, got \"0.5\""},
      {"data: {mean: [0.5, x]}", "c.yaml:1:20: data.mean expects a number, got \"x\""},
      {"data: {mean: [123.7]}", "data.mean must be in [0, 1], got 123.7"},
      {"data: {mean: [nan]}", "data.mean must be in [0, 1], got nan"},
      {"data: {std: [0.2, 0]}", "data.std must be in [0.001, 1000], got 0"},
      {"data: {std: [-0.2]}", "data.std must be in [0.001, 1000], got -0.2"},
      {"data: {std: [inf]}", "data.std must be in [0.001, 1000], got inf"},
      {"train: {schedule: cosin}",
       "c.yaml:1:19: train.schedule does not know \"cosin\"; did you mean \"cosine\"? (values: "
       "constant, cosine, one_cycle)"},
      {"train: {schedule: 5}", "train.schedule does not know \"5\" (values:"},
      {"train: {schedule: [x]}", "train.schedule expects one of constant, cosine, one_cycle"},
      {"quantize: {method: dynamic}",
       "c.yaml:1:20: quantize.method \"dynamic\" is not implemented yet"},
      {"quantize: {method: weight_only}", "\"weight_only\" is not implemented yet"},
      {"quantize: {method: fp16}", "\"fp16\" is not implemented yet"},
      {"quantize: {weight: {qscheme: per_tensor_affine}}",
       "quantize.weight.qscheme does not know \"per_tensor_affine\""},
      {"quantize: {activation: {qscheme: per_channel_symmetric}}",
       "(values: per_tensor_affine, per_tensor_symmetric)"},
      {"quantize: {weight: {bits: 9}}", "quantize.weight.bits must be in [2, 8], got 9"},
      {"eval: {forms: int8}",
       "c.yaml:1:15: eval.forms expects a list of float, fake-quant, int8, got \"int8\""},
      {"eval: {forms: [float, int9]}",
       "c.yaml:1:23: eval.forms does not know \"int9\"; did you mean \"int8\"? (values: float, "
       "fake-quant, int8)"},
      {"eval: {images: -1}", "eval.images must be >= 0, got -1"},
      {"checkpoint: {keep: 0}", "checkpoint.keep must be in [1, 2], got 0"},
      {"train: &a {lr: 1}", "anchors (&name) are not allowed"},
      {"train: {lr: &a 1}", "anchors (&name) are not allowed"},
      {"train: *a", "c.yaml:1:8: malformed YAML"},
      {"run: &a {name: x}\ndata: *a", "anchors (&name) are not allowed"},
      {"train: {lr: !!float 1}", "c.yaml:1:13: tags (!name) are not allowed"},
      {"train: !x {lr: 1}", "tags (!name) are not allowed"},
      {"train: {<<: {lr: 1}}", "unknown key \"<<\" in train"},
      {"train: {lr: 1", "malformed YAML"},
      {"train: {lr: @}", "malformed YAML"},
      {"train: {[a]: 1}", "a key must be a plain word"},
      {"train: {~: 1}", "a key must be a plain word"},
      {"a: 1\n---\nb: 1\n", "a second document"},
      {"train: [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", "nested deeper than 16"},
      {"run: {name: \xff}", "c.yaml: not valid UTF-8"},
      {"run: {name: \x01}", "c.yaml: control character at byte 12"},
      {"_base_: {a: 1}", "c.yaml:1:9: _base_ expects a path or a list of paths, got a map"},
      {"_base_: none.yaml", "c.yaml:1:9: cannot open \"none.yaml\": No such file or directory"},
      {"run: {_base_: x}", "unknown key \"_base_\" in run"},
  };
  for (const auto& item : cases) {
    CAPTURE(item.yaml);
    const std::string error = error_of(item.yaml);
    CAPTURE(error);
    CHECK(error.find(item.error) != std::string::npos);
    CHECK(error.rfind("c.yaml:", 0) == 0);
  }
  CHECK(error_of(std::string((256 << 10) + 1, ' ')).find("at most 262144") != std::string::npos);
  std::string many = "quantize:\n  layers:\n";
  for (int i = 0; i < 10000; ++i) many += message("    a", i, ": {}\n");
  CHECK(error_of(many).find("more than 10000 values") != std::string::npos);
  // Refused before yaml-cpp sees them: it would take 250 bytes of memory for each.
  const std::string open = "more than 100 brackets are open";
  for (const std::string bracket : {"[", "{", "[{", "[,", "? [", "- [\n"}) {
    std::string text = "run:\n  ";
    while (text.size() < 200000) text += bracket;
    CAPTURE(bracket);
    CHECK(error_of(text).find(open) != std::string::npos);
  }
  CHECK(error_of("run:\n" + std::string(200000, '[') + std::string(20000, ']')) ==
        "c.yaml:2:101: " + open + "; lists and maps are nested at most 16 deep");
  CHECK(error_of("run: {name: \"" + std::string(90, '[') + "\"}") == "");
}

TEST_CASE("config: --set refuses a key of very many parts") {
  std::string key = "a";
  for (int i = 0; i < 100000; ++i) key += ".a";
  CHECK_THROWS_WITH_AS(parse_config("", "c.yaml", {key + "=1"}),
                       doctest::Contains("the key has more than 16 parts"), UsageError);
}

// 200 random slips of one letter (left out, doubled or foreign, replaced, swapped) in random keys.
TEST_CASE("config: no misspelled key is accepted, and the right one is suggested") {
  const std::vector<ConfigField> fields = config_fields(Config());
  std::set<std::string> known;
  for (const ConfigField& field : fields) {
    for (std::size_t dot = 0; dot != std::string::npos; dot = field.key.find('.', dot + 1)) {
      known.insert(field.key.substr(0, dot == 0 ? std::string::npos : dot));
    }
  }
  Rng rng(3, RngPurpose::kTest);
  int right = 0, accepted = 0, trials = 0;
  while (trials < 200) {
    const std::string& key = fields[rng.below(static_cast<std::uint32_t>(fields.size()))].key;
    std::vector<std::string> words = {""};
    for (const char c : key) c == '.' ? words.push_back("") : words.back().push_back(c);
    const std::size_t which = rng.below(static_cast<std::uint32_t>(words.size()));
    const std::string original = words[which];
    std::string& word = words[which];
    const std::size_t at = rng.below(static_cast<std::uint32_t>(word.size()));
    const char letter = static_cast<char>('a' + rng.below(26));
    switch (rng.below(4)) {
      case 0:
        word.erase(at, 1);
        break;
      case 1:
        word.insert(at, 1, letter);
        break;
      case 2:
        word[at] = letter;
        break;
      default:
        if (at + 1 < word.size()) std::swap(word[at], word[at + 1]);
    }
    const std::string section = join({words.begin(), words.begin() + std::ptrdiff_t(which)}, ".");
    if (word.empty() || known.count(join_key(section, word)) != 0) continue;
    ++trials;
    const std::string typo = join(words, ".");
    CAPTURE(typo);
    const std::string error = error_of("", {typo + "=1"});
    if (error.empty()) ++accepted;
    if (error.find(message("; did you mean \"", original, "\"?")) != std::string::npos) ++right;
  }
  CAPTURE(right);
  CHECK(accepted == 0);
  CHECK(right >= 190);
}

}  // namespace octet

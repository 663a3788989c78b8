#include "tests/fuzz/seeds.h"

#include <algorithm>
#include <filesystem>
#include <span>
#include <utility>

#include "base/rng.h"
#include "file/read_file.h"
#include "file/safetensors.h"
#include "io/checkpoint.h"
#include "io/config.h"
#include "io/weights.h"
#include "ir/model_file.h"
#include "models/registry.h"
#include "onnx/export.h"
#include "tests/datasets/encode_image.h"
#include "tests/file/temp_folder.h"
#include "tests/fuzz/tiny_run.h"
#include "tests/ir/graph_builder.h"
#include "tests/onnx/model_builder.h"
#include "tests/qat/nets.h"

namespace octet::fuzz {
namespace {

using Bytes = std::vector<std::byte>;

const std::string kSource = OCTET_SOURCE_DIR;

Bytes with_choice(int choice, Bytes bytes) {
  bytes.insert(bytes.begin(), static_cast<std::byte>(choice));
  return bytes;
}

Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

// 8 floats, 3 classes without names.
ir::Graph float_graph() {
  testing::GraphBuilder b(3);
  const ir::ValueId x = b.quantize("quantize", b.input({8}, {}, DType::kF32));
  b.logits("fc", b.linear("hidden", x, 5), 3);
  return b.graph;
}

class Collector {
 public:
  void add(const std::string& harness, const std::string& name, Bytes bytes) {
    all.push_back({harness, name, std::move(bytes)});
  }

  void add_safetensors() {
    const std::vector<float> x(6, 0.5f);
    const auto data = std::as_bytes(std::span(x));
    add("safetensors", "three",
        serialize_safetensors({{"k", "v\n"}}, {{"a", DType::kF32, {2, 3}, data},
                                               {"b.c", DType::kI8, {2, 2, 2}, data.first(8)},
                                               {"none", DType::kU8, {0, 3}, {}}}));
    add("safetensors", "empty", serialize_safetensors({}, {}));
  }

  void add_models() {
    for (const char* harness : {"int8_model", "c_api"}) {
      add(harness, "every_op", read_file(kSource + "/tests/golden/every_op_v1.safetensors"));
      add(harness, "small", ir::serialize_model(testing::small_graph()));
      add(harness, "floats", ir::serialize_model(float_graph()));
    }
    for (int i = 0; i < 8; ++i) {
      Rng rng(static_cast<std::uint64_t>(i), RngPurpose::kTest);
      Bytes choices(100);
      for (std::byte& b : choices) b = static_cast<std::byte>(rng.below(256));
      add("int8_graph", "random" + std::to_string(i), choices);
      add("c_api_run", "random" + std::to_string(i), std::move(choices));
    }
  }

  void add_checkpoints() {
    const Tensor w = Tensor::full({2, 3, 3, 1}, 0.5f);
    const TempFolder folder;
    save_checkpoint(RunLock(folder.path()),
                    {.groups = {{"model", {{"conv1.weight", w}, {"scale", Tensor::full({}, 2.0f)}}},
                                {"optimizer", {{"conv1.weight", w}}}},
                     .state = "{\"step\": 3}",
                     .config = "run:\n  name: \"x\"\n",
                     .dataset_sha256 = "abc"});
    add("checkpoint", "checkpoint", read_file(folder / kCheckpointName));
    const Tensor fc = Tensor::full({2, 8}, 1.0f);
    add("checkpoint", "torch",
        serialize_safetensors({}, {to_entry({"conv1.weight", w}), to_entry({"fc.weight", fc})}));
    save_weights(folder / "w.safetensors", {{"fc.weight", fc}});
    add("checkpoint", "weights", read_file(folder / "w.safetensors"));
  }

  void add_runs() {
    TinyRun run;
    add("resume", "float", run.checkpoint());
    run.state = RunState();
    run.state.phase = "done";
    run.state.total_steps = run.steps();
    run.state.train_images = 30;
    add("resume", "done", run.checkpoint());
  }

  // As torch_names_fuzz.cc has them, in PyTorch's layout.
  void add_torch_weights() {
    const std::pair<const char*, Shape> kTensors[] = {
        {"conv1.weight", {2, 1, 3, 1}},
        {"bn1.weight", {2}},
        {"bn1.running_var", {2}},
        {"layer1.0.bn2.bias", {2}},
        {"layer1.0.downsample.0.weight", {2, 2, 1, 1}},
        {"layer1.0.downsample.1.running_mean", {2}},
        {"fc1.weight", {1, 32}},
        {"fc.bias", {3}},
        {"bn1.num_batches_tracked", {1}}};
    std::vector<NamedTensor> tensors;
    for (const auto& [name, shape] : kTensors) tensors.push_back({name, Tensor::full(shape, 0.5f)});
    std::vector<TensorEntry> entries;
    for (const NamedTensor& tensor : tensors) entries.push_back(to_entry(tensor));
    add("torch_names", "state_dict", serialize_safetensors({{"format", "pt"}}, entries));
    tensors[1].name = "conv1.bn.weight";
    entries[1] = to_entry(tensors[1]);
    add("torch_names", "own_name", serialize_safetensors({}, entries));
  }

  void add_onnx() {
    const auto input = testing::centered_input(3);
    testing::EveryLeaf model({});
    testing::randomize(model, 1);
    add("onnx", "every_leaf", export_onnx(model, testing::kImage, {}));
    testing::Small small({});
    testing::randomize(small, 1);
    qat::prepare(small, testing::kImage, testing::min_max_qconfig());
    testing::calibrate(small, testing::real_images(testing::random_pixels(8, 2), input));
    const ir::Graph graph = qat::convert(small, testing::convert_options(input));
    add("onnx", "qdq", export_onnx(graph, OnnxPreset::kQdq, {}));

    testing::ModelBuilder b({1, 6, 6});
    b.real("w", {2, 1, 3, 3}, 0.1f).real("b", {2}, 0.5f).real("fc", {3, 8}, 0.2f).real("g", {2}, 2);
    b.node("Conv", {"image", "w"}, "c");
    b.node("BatchNormalization", {"c", "g", "g", "b", "g"}, "n").real("epsilon", 1.0f);
    b.node("Relu", {"n"}, "r");
    b.node("MaxPool", {"r"}, "p").ints("kernel_shape", {2, 2}).ints("strides", {2, 2});
    b.node("Shape", {"p"}, "s");
    b.node("Gather", {"s", "index"}, "n0");
    b.node("Unsqueeze", {"n0"}, "n1");
    b.node("Concat", {"n1", "rest"}, "to").integer("axis", 0);
    b.node("Reshape", {"p", "to"}, "f");
    b.node("Gemm", {"f", "fc"}, "g1").integer("transB", 1);
    b.node("Softmax", {"g1"}, "logits").integer("axis", 1);
    for (const auto& [name, value] : {std::pair{"index", 0}, std::pair{"rest", -1}}) {
      auto& t = *b.model().mutable_graph()->add_initializer();
      t.set_name(name);
      t.set_data_type(::onnx::TensorProto::INT64);
      t.add_dims(1);
      t.add_int64_data(value);
    }
    add("onnx", "reshaped", b.bytes());

    testing::ModelBuilder q({1, 4, 4});
    q.scalar("sx", 0.5f).int8("zx", {}, {-28}).uint8("w", {2, 3}, {128, 129, 130, 120, 1, 255});
    q.scalar("sw", 0.25f).uint8("zw", {}, {128}).scalar("six", 6.0f).scalar("low", 0.0f);
    q.real("k", {2, 1, 1, 1}, 0.5f).real("bias", {3}, 0.5f);
    q.node("QuantizeLinear", {"image", "sx", "zx"}, "q");
    q.node("DequantizeLinear", {"q", "sx", "zx"}, "x");
    q.node("Conv", {"x", "k"}, "c");
    q.node("Clip", {"c", "low", "six"}, "clip");
    q.node("AveragePool", {"clip"}, "a").ints("kernel_shape", {2, 2});
    q.node("Add", {"a", "a"}, "sum");
    q.node("ReduceMean", {"sum"}, "g").ints("axes", {2, 3}).integer("keepdims", 0);
    q.node("DequantizeLinear", {"w", "sw", "zw"}, "wr");
    q.node("MatMul", {"g", "wr"}, "m");
    q.node("Add", {"m", "bias"}, "logits");
    add("onnx", "mixed", q.bytes());
  }

  void add_datasets() {
    const std::string fixtures = kSource + "/tests/data/fixtures/";
    add("idx", "labels_gz",
        with_choice(5, read_file(fixtures + "mnist-1000-labels-idx1-ubyte.gz")));
    add("idx", "labels",
        with_choice(4, bytes_of(std::string("\0\0\x08\x01\0\0\0\x02\x03\x04", 10))));
    add("idx", "images",
        with_choice(0, bytes_of(std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0"
                                            "\x01"
                                            "abcd",
                                            20))));
    add("idx", "records", with_choice(6, Bytes(2 * 3073, std::byte{7})));
  }

  void add_images() {
    Rng rng(5, RngPurpose::kTest);
    for (const std::int64_t channels : {1, 2, 3, 4}) {
      Image image{{9, 17, channels}, {}};
      for (std::int64_t i = 0; i < image.shape.numel(); ++i) {
        image.pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
      }
      const std::string name = std::to_string(channels);
      add("image", "png" + name, with_choice(0, testing::encode_png(image)));
      if (channels % 2 == 1)
        add("image", "jpeg" + name, with_choice(2, testing::encode_jpeg(image)));
    }
  }

  // Heads as image_folder_fuzz.cc reads them: place, kind, length.
  void add_image_folders() {
    Bytes right, bytes;
    for (const int choice :
         {0, 0, 0, 255, 0, 1, 2, 255, 0, 2, 0, 255, 0, 3, 4, 255, 0, 5, 0, 255, 0}) {
      right.push_back(static_cast<std::byte>(choice));
    }
    add("image_folder", "right", right);
    right[0] = std::byte{3};
    add("image_folder", "resized", right);
    bytes.push_back(std::byte{0});
    for (const int folder : {0, 2}) {
      const Bytes png = testing::encode_png({{2, 2, 3}, std::vector<std::uint8_t>(12, 9)});
      for (const std::size_t head :
           {std::size_t(folder), std::size_t{0}, png.size() >> 8, png.size() & 255}) {
        bytes.push_back(static_cast<std::byte>(head));
      }
      bytes.insert(bytes.end(), png.begin(), png.end());
    }
    add("image_folder", "png", bytes);
  }

  void add_configs() {
    for (const auto& entry : std::filesystem::directory_iterator(kSource + "/configs")) {
      std::string text = read_text_file(entry.path().string());
      add("config", entry.path().stem().string(), bytes_of(text));
    }
    std::string text = "train:\n  lr: 0.1\n";
    for (const char* set : {"train.epochs=3", "quantize.layers.conv1={weight: {bits: 4}}",
                            "data.image_shape=[28, 28, 1]", "run.name=\"x: y #z\""}) {
      text += '\0';
      text += set;
    }
    add("config", "overrides", bytes_of(text));
    add("config", "all", bytes_of(to_yaml(Config())));
    using namespace std::string_literals;
    add("config_base", "chain",
        bytes_of(
            "_base_: b.yaml\ntrain: {lr: 0.1}\n\0_base_: [sub/c.yaml, d.yaml]\n\0"
            "_base_: ../sub/e.yaml\ntrain: {epochs: 3}\n\0run:\n  name: x\n\0train:\n  lr: 1\n"s));
    add("config_base", "circle", bytes_of("_base_: sub/c.yaml\n\0\0_base_: ../a.yaml\n"s));
  }

  std::vector<Seed> all;
};

}  // namespace

std::vector<Seed> seeds() {
  Collector c;
  c.add_safetensors();
  c.add_models();
  c.add_checkpoints();
  c.add_runs();
  c.add_torch_weights();
  c.add_onnx();
  c.add_datasets();
  c.add_images();
  c.add_image_folders();
  c.add_configs();
  std::sort(c.all.begin(), c.all.end(), [](const Seed& a, const Seed& b) {
    return std::pair(a.harness, a.name) < std::pair(b.harness, b.name);
  });
  return c.all;
}

}  // namespace octet::fuzz

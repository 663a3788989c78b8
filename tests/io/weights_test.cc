#include "io/weights.h"

#include <doctest/doctest.h>

#include <numeric>
#include <string_view>

#include "base/error.h"
#include "file/safetensors.h"
#include "file/sha256.h"
#include "io/checkpoint.h"
#include "tests/file/temp_folder.h"

namespace octet {
namespace {

std::vector<NamedTensor> model() {
  return {{"fc.weight", Tensor::full({2, 3}, 1.0f)}, {"fc.bias", Tensor::zeros({2})}};
}

std::string error_of_copy(const std::vector<NamedTensor>& from) {
  const auto to = model();
  const std::string before = weights_sha256(to);
  try {
    copy_weights(from, to, "w.safetensors");
  } catch (const Error& error) {
    CHECK(weights_sha256(to) == before);  // all or nothing
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("weights_sha256 is over name, dtype, shape and bytes, sorted by name") {
  const std::vector<NamedTensor> tensors = {{"b", Tensor::from({1.0f, -2.0f}, {2, 1})},
                                            {"a", Tensor::zeros({}, DType::kI8)}};
  const std::string_view encoding("a\nI8\n\n\0b\nF32\n2,1\n\x00\x00\x80\x3f\x00\x00\x00\xc0", 25);
  CHECK(weights_sha256(tensors) ==
        sha256_hex(std::as_bytes(std::span(encoding.data(), encoding.size()))));
  CHECK(weights_sha256({tensors[1], tensors[0]}) == weights_sha256(tensors));

  const std::string base = weights_sha256(tensors);
  CHECK(weights_sha256({tensors[0]}) != base);
  CHECK(weights_sha256({tensors[0], {"c", tensors[1].tensor}}) != base);
  CHECK(weights_sha256({tensors[0], {"a", Tensor::zeros({}, DType::kU8)}}) != base);
  CHECK(weights_sha256({tensors[1], {"b", tensors[0].tensor.reshape({1, 2})}}) != base);
  CHECK(weights_sha256({tensors[1], {"b", Tensor::from({1.0f, 2.0f}, {2, 1})}}) != base);
  CHECK_THROWS_WITH_AS(weights_sha256({tensors[0], tensors[0]}), "two tensors are named \"b\"",
                       Error);
}

TEST_CASE("weights: a file of our own comes back as it was") {
  const TempFolder folder;
  save_weights(folder / "w", model(), {{"octet.model", "lenet"}});
  CHECK(SafetensorsFile::read(folder / "w").metadata_at("octet.model") == "lenet");
  const auto loaded = load_weights(folder / "w");
  CHECK(weights_sha256(loaded) == weights_sha256(model()));
  auto target = model();
  target[0].tensor.mutable_data()[0] = 7.0f;
  copy_weights(loaded, target, folder / "w");
  CHECK(weights_sha256(target) == weights_sha256(model()));
}

TEST_CASE("weights: half precision, in half the bytes, comes back as it was rounded") {
  const TempFolder folder;
  const std::vector<NamedTensor> tensors = {
      {"w", Tensor::from({1.0f, 0.1f, -65504.0f, 1e-8f}, {2, 2})}, {"b", Tensor::zeros({3})}};
  save_weights(folder / "direct", tensors, {}, DType::kF16);
  round_to_fp16(tensors);
  CHECK(tensors[0].tensor.data()[0] == 1.0f);
  CHECK(tensors[0].tensor.data()[1] == 0.0999755859375f);
  CHECK(tensors[0].tensor.data()[3] == 0.0f);
  save_weights(folder / "rounded", tensors, {}, DType::kF16);
  for (const char* name : {"direct", "rounded"}) {
    CHECK(SafetensorsFile::read(folder / name).tensors()[0].dtype == DType::kF16);
    CHECK(weights_sha256(load_weights(folder / name)) == weights_sha256(tensors));
  }

  const std::vector<NamedTensor> large = {{"a", Tensor::full({1}, 0.1f)},
                                          {"b", Tensor::from({1.0f, 70000.0f}, {2})}};
  CHECK_THROWS_WITH_AS(round_to_fp16(large),
                       "tensor \"b\" has 70000, more than half precision can hold (65504)", Error);
  CHECK(large[0].tensor.data()[0] == 0.1f);
}

TEST_CASE("weights: of a checkpoint only the model's tensors are taken") {
  const TempFolder folder;
  save_checkpoint(RunLock(folder.path()), {.groups = {{"model", model()}, {"optimizer", model()}},
                                           .state = "{}",
                                           .config = "",
                                           .dataset_sha256 = ""});
  CHECK(weights_sha256(load_weights(folder / kCheckpointName)) == weights_sha256(model()));
}

TEST_CASE("weights: a file of another program is in PyTorch's layout") {
  const TempFolder folder;
  std::vector<float> values(2 * 3 * 2 * 2);
  std::iota(values.begin(), values.end(), 0.0f);
  const Tensor conv = Tensor::from(values, {2, 3, 2, 2});  // [O, I, KH, KW]
  const Tensor fc = Tensor::full({2, 3}, 1.0f), count = Tensor::zeros({}, DType::kI64);
  write_safetensors(folder / "pt", {{"format", "pt"}},
                    {to_entry({"conv1.weight", conv}), to_entry({"fc.weight", fc}),
                     to_entry({"bn1.num_batches_tracked", count})});
  const auto loaded = load_weights(folder / "pt");
  REQUIRE(loaded.size() == 2);
  CHECK(loaded[1].name == "fc.weight");
  CHECK(loaded[1].tensor.shape() == Shape{2, 3});
  const Tensor& turned = loaded[0].tensor;
  REQUIRE(turned.shape() == Shape{2, 2, 2, 3});
  for (int o = 0; o < 2; ++o) {
    for (int i = 0; i < 3; ++i) {
      for (int pixel = 0; pixel < 4; ++pixel) {
        CHECK(turned.data()[(o * 4 + pixel) * 3 + i] ==
              values[static_cast<std::size_t>((o * 3 + i) * 4 + pixel)]);
      }
    }
  }
}

TEST_CASE("weights: a tensor of no elements is refused, for its extents may be of any size") {
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  for (const Shape& shape : {Shape{1, 0, kHuge, kHuge}, Shape{kHuge, 0, 1, 1}, Shape{kHuge, 0}}) {
    const auto bytes = serialize_safetensors({}, {{"conv.weight", DType::kF32, shape, {}}});
    CHECK_THROWS_WITH_AS(
        parse_weights(bytes, "w"),
        ("\"w\": tensor \"conv.weight\" of shape " + shape.to_string() + " has no elements")
            .c_str(),
        Error);
  }
}

TEST_CASE("weights: what does not fit is named, and nothing is copied") {
  const Tensor ok = Tensor::zeros({2});
  CHECK(error_of_copy({{"fc.weight", Tensor::zeros({2, 3})}, {"fc.bias", ok}}).empty());
  CHECK(error_of_copy({{"fc.bias", ok}, {"fc.weights", ok}}) ==
        "\"w.safetensors\" does not fit the model: missing fc.weight; unexpected fc.weights");
  CHECK(error_of_copy({{"fc.bias", ok}}) ==
        "\"w.safetensors\" does not fit the model: missing fc.weight");
  CHECK(error_of_copy({{"fc.bias", ok}, {"fc.weight", Tensor::full({3, 2}, 0)}}) ==
        "\"w.safetensors\": tensor \"fc.weight\" is F32 [3, 2], the model expects F32 [2, 3]");
  CHECK(error_of_copy({{"fc.bias", Tensor::zeros({2}, DType::kI32)},
                       {"fc.weight", Tensor::full({2, 3}, 0)}}) ==
        "\"w.safetensors\": tensor \"fc.bias\" is I32 [2], the model expects F32 [2]");

  const TempFolder folder;
  write_safetensors(folder / "m", {{"octet.format", "graph"}}, {});
  CHECK_THROWS_WITH_AS(load_weights(folder / "m"),
                       ("\"" + (folder / "m") + "\" holds no weights but \"graph\"").c_str(),
                       Error);
}

}  // namespace octet

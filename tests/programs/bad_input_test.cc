// What a user can get wrong, one row each: the exit code, and a line "error: ..." that says what,
// where, what to do.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "tests/programs/photos.h"
#include "tests/programs/quick_run.h"

namespace octet::testing {
namespace {

const std::string kGrowing =
    kConfig + "--set train.epochs=2 --set train.warmup_epochs=0 --set data.progressive.start_size=";

// As torch.save and Git LFS write them.
const std::string kPyTorchFile(
    "PK\3\4\x14\0\0\0\0\0\x13\x87~]\xf2\x91\2\xc5\6\0\0\0\6\0\0\0\x10\0"
    "\0\0archive/data.pkl\x80\2}q\0.",
    52);
const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1234\n";

struct Row {
  const char* what;
  std::string command;
  int exit_code;
  std::string message;  // part of the error line
};

// Exactly one line on stderr begins with "error: ", it is the last one, and nothing was printed as
// a result.
void check(const Workplace& work, const Row& row) {
  CAPTURE(row.what);
  CAPTURE(row.command);
  const Outcome outcome = work.run(row.command);
  CAPTURE(outcome.err);
  CHECK(outcome.exit_code == row.exit_code);
  const std::size_t at = outcome.err.rfind("error: ", 0) == 0 ? 0 : outcome.err.find("\nerror: ");
  REQUIRE(at != std::string::npos);
  CHECK(outcome.err.find(row.message, at) != std::string::npos);
  CHECK(outcome.out.empty());
}

void check_all(const Workplace& work, const std::vector<Row>& rows) {
  for (const Row& row : rows) check(work, row);
}

std::string flipped(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  return bytes;
}

}  // namespace

TEST_SUITE_BEGIN("programs");

TEST_CASE("bad command lines are usage errors") {
  const Workplace work;
  std::filesystem::create_directory(work / "there");
  std::vector<Row> rows = {
      {"nothing to do", "train", 2, "--config"},
      {"two things to do", "train --config a.yaml --resume b", 2, "--config"},
      {"an unknown option", "train --confg a.yaml", 2, "confg"},
      {"a word too many", "train --config a.yaml b.yaml", 2, "--config b.yaml"},
      {"a key as an option", kConfig + "--epochs 3", 2, "--set train.epochs=3"},
      {"a whole key as an option", kConfig + "--train.lr=0.1", 2, "--set train.lr=0.1"},
      {"a key without --set", kConfig + "train.lr=0.1", 2, "--set train.lr=0.1"},
      {"a key and its value apart", kConfig + "--set train.lr 0.1", 2, "--set train.lr=0.1"},
      {"a second key for one --set", kConfig + "--set train.epochs=1 train.lr=0.1", 2,
       "--set train.lr=0.1"},
      {"an option by its first letter", "train -c a.yaml", 2, "--config"},
      {"an option with one dash", "train -config a.yaml", 2, "--config"},
      {"an unknown option of eval", "eval_ --int", 2, "--int8"},
      {"a model given by an option", "eval_ --model there", 2, "eval there"},
      {"an unknown option of bench", "bench peak --thread 2", 2, "--threads"},
      {"a misspelled command of bench", "bench modle", 2, "did you mean model?"},
      {"a share as a percentage", "eval_ --require-top1 0.99", 2, "give 99 "},
      {"no percentage", "eval_ --require-top1 101", 2, "[0, 100]"},
      {"a percentage that is no number", "eval_ --require-top1 high", 2, "high"},
      {"a percentage that is not a number", "eval_ --require-top1 nan", 2, "nan"},
      {"a missing config", "train --config none.yaml", 2, "none.yaml"},
      {"--out exists", kConfig + "--out there", 2, "there"},
      {"a folder that summary.json cannot name", kConfig + "--out $(printf 'caf\\351')", 2,
       "not UTF-8"},
      {"the same of a run", "train --resume $(printf 'caf\\351')", 2, "not UTF-8"},
      {"no such run to resume", "train --resume nowhere", 2, "nowhere"},
      {"threads out of range", kConfig + "--threads 0", 2, "threads"},
      {"more threads than there can be", kConfig + "--threads 1025", 2, "1025"},
      {"the same of eval", "eval_ --threads 1025", 2, "1025"},
      {"threads that are no number", kConfig + "--threads two", 2, "two"},
      {"stopping before the start", kConfig + "--stop-after 0", 2, "--stop-after"},
      {"an unknown instruction set", kConfig + "--isa avx3", 2, "avx512vnni"},
      {"an unknown instruction set in the environment", "OCTET_ISA=avx3 " + kConfig, 2, "avx3"},
      {"no run to evaluate", "eval_ --int8", 2, "runs"},
      {"no such model", "eval_ nowhere", 2, "nowhere"},
      {"a folder that is no run", "eval_ there", 2, "config.yaml"},
      {"two forms at once", "eval_ --int8 --fp32", 2, "--fp32"},
      {"a comparison of no results", "eval_ --verify --compare there", 2, "--compare"},
      {"a batch of nothing", "eval_ --batch 0", 2, "--batch"},
      {"nothing to measure", "bench", 2, "peak"},
      {"nothing that can be measured", "bench speed", 2, "speed"},
      {"a model to measure is missing", "bench model --mode train", 2, "lenet"},
      {"an unknown model to measure", "bench model --model lenett", 2, "lenet"},
      {"the same of layers", "bench layers --model lenett", 2, "lenet"},
      {"an unknown mode", "bench model --model lenet --mode trian", 2, "train"},
      {"an unknown pass", "bench layers --model lenet --mode back", 2, "--mode"},
      {"an unknown precision", "bench model --model lenet --precision fp23", 2, "fp32"},
      {"the same of layers", "bench layers --model lenet --precision bf61", 2, "bf16"},
      {"layers in integers", "bench layers --model lenet --precision int8", 2, "bench model"},
      {"inference in bf16", "bench model --model lenet --mode infer --precision bf16", 2,
       "--mode train"},
      {"training in integers", "bench model --model lenet --mode train --precision int8", 2,
       "infer"},
      {"batches of nothing", "bench model --model lenet --batch 0", 2, "--batch"},
      {"batches of less", "bench layers --model lenet --batch -3", 2, "--batch"},
      {"a batch out of range", "bench model --model lenet --batch 65537", 2, "--batch"},
      {"a batch that is no number", "bench model --model lenet --batch many", 2, "many"},
      {"a batch that fits no memory", "bench model --model lenet --image 1024x1024x1 --batch 65536",
       2, "MiB"},
      {"too many threads", "bench peak --threads 1025", 2, "threads"},
      {"no threads", "bench model --model lenet --threads 0", 2, "threads"},
      {"no image shape", "bench model --model lenet --image 28x28", 2, "--image"},
      {"an image too small", "bench model --model lenet --image 8x8x1", 1, "lenet"},
      {"no time", "bench model --model lenet --seconds -1", 2, "--seconds"},
      {"an unknown instruction set to measure", "bench model --model lenet --isa avx3", 2, "avx2"},
      {"an option of another command", "bench peak --model lenet", 2, "model"},
      {"a word too many to measure", "bench peak now", 2, "now"},
  };
  for (const Isa isa : {Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512Vnni, Isa::kNeonDot}) {
    if (cpu_supports(isa)) continue;
    const std::string name(name_of(isa));
    rows.push_back({"an instruction set the CPU lacks", kConfig + "--isa " + name, 2,
                    "does not have \"" + name});
    rows.push_back({"the same of eval", "eval_ --isa " + name, 2, "does not have \"" + name});
  }
  check_all(work, rows);
  CHECK_FALSE(std::filesystem::exists(work / "runs"));
}

TEST_CASE("bad configs are usage errors with file, line and the nearest key") {
  const Workplace work;
  const auto config = [&](const char* name, const std::string& text) {
    write_text(work / name, text);
    return "train --config " + std::string(name);
  };
  const auto started_from = [&](const char* name, const std::string& content) {
    write_text(work / name, content);
    return kConfig + "--set model.init_from=" + name;
  };
  check_all(
      work,
      {{"unknown key", config("a.yaml", "train:\n  learning_rate: 0.1\n"), 2, "a.yaml:2:"},
       {"misspelled key", config("b.yaml", "train: {epoch: 3}\n"), 2, "epochs"},
       {"duplicate key", config("c.yaml", "train:\n  lr: 1\n  lr: 2\n"), 2, "c.yaml:3:"},
       {"wrong type", config("d.yaml", "train: {epochs: many}\n"), 2, "d.yaml:1:"},
       {"out of range", config("e.yaml", "train: {momentum: 2}\n"), 2, "momentum"},
       {"not a map", config("f.yaml", "train: 3\n"), 2, "f.yaml:1:"},
       {"not YAML", config("g.yaml", "train: {lr: [\n"), 2, "g.yaml:"},
       {"a base that is not there", config("h.yaml", "_base_: none.yaml\n"), 2, "none.yaml"},
       {"a base whose name is near", config("k.yaml", "_base_: lenet_qta.yaml\n"), 2,
        "did you mean \"lenet_qat.yaml\"?"},
       {"a tab as indent", config("l.yaml", "train:\n\tlr: 0.1\n"), 2, "l.yaml:2:1: a tab"},
       {"a config without its ending", "train --config lenet_qat", 2,
        "did you mean \"lenet_qat.yaml\"?"},
       {"a config that is no text", config("m.yaml", kPyTorchFile), 2, "PyTorch"},
       {"a config behind Git LFS", config("n.yaml", kPointer), 2, "n.yaml"},
       {"its own base", config("i.yaml", "_base_: i.yaml\n"), 2, "i.yaml"},
       {"not implemented yet", config("j.yaml", "quantize: {method: dynamic}\n"), 2, "dynamic"},
       {"an unknown precision", kConfig + "--set train.precision=bf61", 2, "bf16"},
       {"batches of nothing", kConfig + "--set data.batch_size=0", 2, "data.batch_size"},
       {"batches of too much", kConfig + "--set data.batch_size=65537", 2, "[1, 65536]"},
       {"a histogram of each channel", kConfig + "--set quantize.weight.observer=histogram", 2,
        "min_max"},
       {"unknown dataset", kConfig + "--set data.name=mnits_sample", 2, "mnist_sample"},
       {"unknown model", kConfig + "--set model.name=lenett", 2, "lenet"},
       {"unknown leaf", kConfig + "--set quantize.layers.conv9.weight.bits=4", 2, "conv"},
       {"misspelled --set", kConfig + "--set train.lrr=0.1", 2, "train.lrr=0.1"},
       {"a name that leads elsewhere", kConfig + "--set run.name=../x", 2, "run.name \"../x\""},
       {"--set without a value", kConfig + "--set train.lr", 2, "train.lr"},
       {"a wrong type in --set", kConfig + "--set train.lr=fast", 2, "train.lr"},
       {"no file to start from", kConfig + "--set model.init_from=none.safetensors", 1,
        "none.safetensors"},
       {"PyTorch's file to start from", started_from("w.pt", kPyTorchFile), 1,
        "\"w.pt\": not a safetensors file but a PyTorch file"},
       {"the same as ONNX", started_from("w.onnx", kPyTorchFile), 1, "it is a PyTorch file"},
       {"a pointer to start from", started_from("w.safetensors", kPointer), 1, "git lfs pull"},
       {"the same as ONNX", started_from("v.onnx", kPointer), 1, "git lfs pull"},
       {"a web page to start from", started_from("x.safetensors", "<!DOCTYPE html><html>"), 1,
        "an HTML page"},
       {"images that do not grow", kGrowing + "28 --set data.progressive.end_ramp=1", 2,
        "start_size 28"},
       {"images that never have full size", kGrowing + "14 --set data.progressive.end_ramp=2", 2,
        "data.progressive.end_ramp"},
       {"smaller images than the model takes", kGrowing + "14 --set data.progressive.end_ramp=1", 2,
        "lenet does not take images of 14 x 14"},
       {"a validation set that leaves nothing", kConfig + "--set data.validation_size=5000", 2,
        "data.validation_size"}});
  CHECK_FALSE(std::filesystem::exists(work / "runs"));
}

TEST_CASE("bad datasets are errors with file and remedy, and no run folder appears") {
  const Workplace work;
  const std::string train = "train --config " OCTET_SOURCE_DIR
                            "/configs/lenet_qat.yaml --set data.root=" +
                            (work / "data").string();
  std::filesystem::create_directories(work / "data/mnist");
  check(work, {"a file is missing", train, 1, "train-images-idx3-ubyte"});
  write_text(work / "data/mnist/train-labels-idx1-ubyte",
             std::string("\0\0\x08\x01\0\0\0\x02\x03\x04", 10));
  write_text(work / "data/mnist/train-images-idx3-ubyte",
             std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0", 14));
  check(work, {"truncated", train, 1, "train-images-idx3-ubyte"});
  write_text(work / "data/mnist/train-images-idx3-ubyte",
             std::string("\0\0\x09\x03", 4) + std::string(1600, 'x'));
  check(work, {"wrong magic", train, 1, "train-images-idx3-ubyte"});
  write_text(work / "data/mnist/train-images-idx3-ubyte", kPointer);
  check(work, {"a pointer instead of the images", train, 1, "git lfs pull"});
  check(work, {"an image folder that is not there",
               kConfig + "--set data.name=image_folder --set data.root=none", 1, "none"});
  CHECK_FALSE(std::filesystem::exists(work / "runs"));
}

TEST_CASE("bad CIFAR-10 files are errors with file and remedy, and no run folder appears") {
  const Workplace work;
  const std::string train = "train --config " OCTET_SOURCE_DIR
                            "/configs/resnet20.yaml --set data.root=" +
                            (work / "data").string();
  std::filesystem::create_directories(work / "data/cifar10");
  const auto file = [&](const std::string& name) { return work / ("data/cifar10/" + name); };
  check(work, {"nothing is there", train, 1, "data_batch_1.bin"});
  const std::string record(3073, '\x07');
  for (const int i : {1, 2, 3, 4, 5}) write_text(file(message("data_batch_", i, ".bin")), record);
  check(work, {"whole records, but not the published file", train, 1,
               "data_batch_1.bin is not the published file"});
  write_text(file("data_batch_3.bin"), record.substr(0, 3072));
  check(work, {"truncated", train, 1, "data_batch_3.bin: byte 3072"});
  write_text(file("data_batch_3.bin"), record + "x");
  check(work, {"a byte too many", train, 1, "data_batch_3.bin: byte 3074"});
  write_text(file("data_batch_3.bin"), "<!DOCTYPE html>\n<html>404 Not Found</html>");
  check(work, {"a web page instead of the images", train, 1, "an HTML page"});
  write_text(file("data_batch_3.bin"), "");
  check(work, {"empty", train, 1, "data_batch_3.bin"});
  write_text(file("data_batch_3.bin"), record + std::string("\x0a") + record.substr(1));
  check(work, {"no such class", train, 1, "byte 3073: expected a label below 10"});
  std::filesystem::remove(file("data_batch_5.bin"));
  check(work, {"a file is missing", train, 1, "datasets/fetch.sh cifar10"});
  CHECK_FALSE(std::filesystem::exists(work / "runs"));

  // A flipped bit in a published file is a copy that fetch.sh refuses, whatever it is.
  check(work, {"a folder to fetch from that has damaged files",
               OCTET_SOURCE_DIR "/datasets/fetch.sh cifar10 --root elsewhere --from data/cifar10",
               1, "could not get data_batch_1.bin"});
}

TEST_CASE("bad sheets of CIFAR-10 are errors that name the sheet") {
  const Workplace work;
  const std::string convert = "\"$(dirname \"$TRAIN\")/cifar10_from_sheets\" sheets .";
  check(work, {"no labels", convert, 1, "train_lables.json"});
  std::filesystem::create_directories(work / "sheets");
  write_text(work / "sheets/train_lables.json", "[1,2,3]");
  check(work, {"too few labels", convert, 1, "too few labels"});
  std::string labels = "[0";
  for (int i = 1; i < 50000; ++i) labels += ",1";
  write_text(work / "sheets/train_lables.json", labels + "]");
  check(work, {"a missing sheet", convert, 1, "cannot read sheets/data_batch_1.png"});
  const std::string sheet = bars(20, 1024, true);
  write_text(work / "sheets/data_batch_1.png", sheet);
  check(work, {"a sheet of another size", convert, 1, "data_batch_1.png is not 1024 x 10000 RGB"});
  write_text(work / "sheets/data_batch_1.png", sheet.substr(0, sheet.size() / 2));
  check(work, {"a truncated sheet", convert, 1, "cannot decode sheets/data_batch_1.png"});
  write_text(work / "sheets/data_batch_1.png", flipped(sheet, 30));
  check(work, {"a sheet with a flipped bit", convert, 1, "data_batch_1.png"});
}

TEST_CASE("images that the strides of a network do not divide are errors with the shape") {
  const Workplace work;
  write_photos(work, "across", "upright");
  const auto train = [](const std::string& config, const std::string& shape) {
    return "train --config " OCTET_SOURCE_DIR "/configs/" + config +
           " --set data.name=image_folder --set data.root=photos --set 'data.image_shape=" + shape +
           "'";
  };
  check_all(work, {{"not a multiple of 8", train("resnet50.yaml", "[30, 30, 3]"), 1, "[30, 30, 3]"},
                   {"one side only", train("resnet20.yaml", "[32, 30, 3]"), 1, "[32, 30, 3]"},
                   {"smaller than a kernel", train("lenet.yaml", "[8, 8, 1]"), 1, "[8, 8, 1]"},
                   {"no channel", train("resnet20.yaml", "[32, 32]"), 2, "data.image_shape"}});
  CHECK_FALSE(std::filesystem::exists(work / "runs"));
}

TEST_CASE("bad model files and checkpoints are errors, and the files stay as they are") {
  const Workplace work;
  REQUIRE(work.run(kConfig + "--out good").exit_code == 0);
  REQUIRE(work.run("eval_ good --verify --threads 1").exit_code == 0);
  const std::string model = read_text(work / "good/model_int8.safetensors");
  const std::string checkpoint = read_text(work / "good/checkpoint.safetensors");

  for (const std::size_t size :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, model.size() / 2, model.size() - 1}) {
    write_text(work / "bad.safetensors", model.substr(0, size));
    check(work, {"a truncated model", "eval_ bad.safetensors", 1, "bad.safetensors"});
  }
  for (const std::size_t at :
       {std::size_t{0}, std::size_t{7}, std::size_t{9}, std::size_t{500}, model.size() - 1}) {
    write_text(work / "bad.safetensors", flipped(model, at));
    check(work, {"a flipped bit", "eval_ bad.safetensors", 1, "bad.safetensors"});
  }
  for (const std::string& other : {kPyTorchFile, kPointer}) {
    write_text(work / "bad.safetensors", other);
    check(work, {"another format", "eval_ bad.safetensors", 1, "not a safetensors file but a"});
  }
  write_text(work / "bad.safetensors", model + "x");
  check(work, {"a byte too many", "eval_ bad.safetensors", 1, "bad.safetensors"});
  check(work, {"a checkpoint is no integer model", "eval_ good/checkpoint.safetensors", 1,
               "checkpoint.safetensors"});
  check(work, {"an integer model has no float form", "eval_ good/model_int8.safetensors --fp32", 2,
               "run folder"});
  check(work, {"a changed config", "train --resume good --set train.lr=0.7", 2, "train.lr"});
  check(work, {"a missed figure", "eval_ good --int8 --require-top1 99.9 >/dev/null", 3, "99.9"});

  check(work, {"nowhere to print", "eval_ good --describe >/dev/full", 1, "standard output"});
  check(work, {"an export onto a pipe, which a file would replace",
               "mkfifo pipe; eval_ good --export-onnx pipe", 1, "it is a device or a pipe"});
  check(work, {"no such model to compare with", "eval_ good --compare nowhere", 2, "nowhere"});
  std::filesystem::create_directory(work / "runs");
  std::filesystem::copy(work / "good", work / "runs/lenet_qat-001");
  check(work, {"a run by its name", "eval_ lenet_qat-001", 2, "did you mean runs/lenet_qat-001?"});
  check(work, {"a misspelled run", "eval_ runs/lenet_qat-01", 2, "runs/lenet_qat-001?"});
  check(work, {"the same to resume", "train --resume lenet_qat-01", 2, "runs/lenet_qat-001?"});
  check(work, {"no such form", "eval_ good --compare-form float", 2, "fp32"});
  check(work,
        {"an integer model has no float form to compare with",
         "eval_ good --compare good/model_int8.safetensors --compare-form fp32", 2, "run folder"});

  std::filesystem::remove(work / "good/checkpoint.prev.safetensors");
  write_text(work / "good/checkpoint.safetensors", flipped(checkpoint, checkpoint.size() - 1));
  check(work, {"a damaged checkpoint", "eval_ good --fake-quant", 1, "checkpoint.safetensors"});
  check(work, {"nothing to resume from", "train --resume good", 1, "checkpoint"});
}

TEST_CASE("a full disk is an error, and what was saved before stays") {
  const Workplace work;
  REQUIRE(work.run(kConfig + "--out good").exit_code == 0);
  const std::string before = read_text(work / "good/checkpoint.safetensors");
  // A file size limit below the checkpoint's: writing fails as on a full disk.
  check(work, {"no room", "ulimit -f 100; train --resume good --threads 1", 1, "good/"});
  CHECK(read_text(work / "good/checkpoint.safetensors") == before);
  for (const auto& entry : std::filesystem::directory_iterator(work / "good")) {
    CHECK(entry.path().string().find(".tmp-") == std::string::npos);
  }
  check(work, {"no room from the start", "ulimit -f 100; " + kConfig + "--out fresh", 1, "fresh/"});
}

TEST_SUITE_END();

}  // namespace octet::testing

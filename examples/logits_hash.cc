// logits_hash: runs an integer model on a raw file of images and prints the SHA-256 of its logits.
//
// The smallest program that deploys a model: it links octet_runtime alone and is built for AArch64
// too. The same model and images give the same hash on every machine, with every instruction set,
// number of threads and batch size.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "file/read_file.h"
#include "file/sha256.h"
#include "ir/model_file.h"
#include "runtime/executor.h"

namespace {

using namespace octet;

constexpr const char* kHelp = R"(usage: logits_hash [--batch N] [--threads N] MODEL IMAGES

Runs an integer model on images and prints the SHA-256 of its logits: little-endian int32
[images, classes], in the order of the file.

  MODEL        a model_int8.safetensors
  IMAGES       u8 pixels [images, height, width, channels], nothing else in the file
  --batch N    images per run (default 64)
  --threads N  threads (default 1)

OCTET_ISA=scalar|avx2|avxvnni|avx512vnni|neondot chooses the instruction set; the default is the
best one of this CPU. None of these changes the hash.
Exit codes: 0 done, 1 a file is missing or wrong, 2 wrong usage.
)";

struct Arguments {
  bool help = false;
  std::int64_t batch = 64;
  int threads = 1;
  std::vector<std::string> paths;
};

// The value of an option: a number of at least 1.
int number(const std::string& option, const char* text) {
  const std::string digits = text == nullptr ? "" : text;
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 1) {
    throw UsageError(message(option, " needs a number of at least 1, got \"", digits, "\""));
  }
  return value;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") {
      arguments.help = true;
    } else if (word == "--batch") {
      arguments.batch = number(word, argv[++i]);
    } else if (word == "--threads") {
      arguments.threads = number(word, argv[++i]);
    } else if (word.rfind("--", 0) == 0) {
      throw UsageError(message("unknown option ", word, "; see logits_hash --help"));
    } else {
      arguments.paths.push_back(word);
    }
  }
  if (!arguments.help && arguments.paths.size() != 2) {
    throw UsageError("expected MODEL and IMAGES; see logits_hash --help");
  }
  return arguments;
}

std::string hash_of_logits(const Arguments& arguments) {
  const ir::Graph graph = ir::read_model(arguments.paths[0]);
  const ir::Value& input = graph.value(graph.input);
  OCTET_CHECK(input.dtype == DType::kU8, "\"", arguments.paths[0],
              "\" takes float images; this program reads u8 pixels");
  const std::vector<std::byte> pixels = read_file(arguments.paths[1]);
  const auto image_bytes = static_cast<std::size_t>(input.shape.numel());
  OCTET_CHECK(!pixels.empty() && pixels.size() % image_bytes == 0, "\"", arguments.paths[1],
              "\" has ", pixels.size(), " bytes, expected a multiple of ", image_bytes,
              ", one image ", input.shape);
  const auto images = static_cast<std::int64_t>(pixels.size() / image_bytes);
  const std::int64_t batch = std::min(arguments.batch, images);

  const Isa isa = default_isa();
  Executor executor(pack_model(graph, isa), {.max_batch = batch, .threads = arguments.threads});
  const std::int64_t classes = graph.value(graph.output).shape.numel();
  std::vector<std::int32_t> logits(static_cast<std::size_t>(batch * classes));
  Sha256 hash;
  for (std::int64_t first = 0; first < images; first += batch) {
    const std::int64_t count = std::min(batch, images - first);
    const std::span rows(logits.data(), static_cast<std::size_t>(count * classes));
    executor.run({reinterpret_cast<const std::uint8_t*>(pixels.data()) +
                      static_cast<std::size_t>(first) * image_bytes,
                  static_cast<std::size_t>(count) * image_bytes},
                 count, rows);
    hash.update(std::as_bytes(rows));
  }
  std::cerr << graph.model << " for " << graph.dataset << ", " << images << " images, "
            << name_of(isa) << ", batch " << batch << ", " << arguments.threads << " threads\n";
  return hash.hex();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Arguments arguments = parse(argc, argv);
    std::cout << (arguments.help ? kHelp : hash_of_logits(arguments) + "\n") << std::flush;
    return std::cout ? 0 : 1;
  } catch (const UsageError& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}

// Integer graphs that are built as the bytes say: they are written, read again and run.
#include "ir/model_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/grow_graph.h"
#include "tests/fuzz/run_graph.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::refuse_or_accept([&] {
    fuzz::Choices choices(data, size);
    const auto graph = fuzz::grow_graph(choices);
    if (!graph) return;
    // One in four goes through its file, which int8_model_fuzz.cc is for.
    const bool is_written = size % 4 == 0;
    fuzz::must_not_throw([&] {
      if (!is_written) return fuzz::run_on_two_isas(*graph);
      const ir::Graph read = ir::parse_model(ir::serialize_model(*graph), "built");
      fuzz::require(read == *graph, "a model that is written reads as the same");
      fuzz::run_on_two_isas(read);
    });
  });
}

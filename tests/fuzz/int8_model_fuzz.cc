// The integer model file: what is accepted can be written, reads as the same graph, and computes
// the same with every instruction set.
#include "ir/model_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/run_graph.h"
#include "tests/fuzz/signed_file.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return fuzz::refuse_or_accept([&] {
    const ir::Graph graph =
        ir::parse_model(fuzz::with_right_digest(fuzz::to_bytes(data, size)), "fuzz");
    fuzz::must_not_throw([&] {
      fuzz::require(ir::parse_model(ir::serialize_model(graph), "written") == graph,
                    "a model that is written reads as the same");
      fuzz::run_on_two_isas(graph);
      fuzz::require(!ir::to_text(graph).empty(), "a graph has a text");
    });
  });
}

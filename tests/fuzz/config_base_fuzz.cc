// A configuration in several files that name one another as `_base_`: the input is their texts,
// each ended by a NUL. What is accepted can be written and reads as the same.
#include <algorithm>
#include <string>

#include "io/config.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

using namespace octet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::filesystem::path folder = fuzz::empty_folder();
  for (const char* name : {"a.yaml", "b.yaml", "sub/c.yaml", "d.yaml", "sub/e.yaml"}) {
    const std::size_t text = static_cast<std::size_t>(std::find(data, data + size, 0) - data);
    if (text > 0) fuzz::write_bytes(folder / name, {data, text});
    data += std::min(text + 1, size);
    size -= std::min(text + 1, size);
  }
  return fuzz::refuse_or_accept([&] {
    const Config config = load_config((folder / "a.yaml").string(), {});
    fuzz::must_not_throw([&] {
      fuzz::require(parse_config(to_yaml(config), "written.yaml") == config,
                    "a configuration that is written reads as the same");
    });
  });
}

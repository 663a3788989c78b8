#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>
#include <string>

#include "file/read_file.h"
#include "tests/datasets/temp_folder.h"

namespace octet {
namespace {

using testing::TempFolder;

const std::string kDatasets = OCTET_SOURCE_DIR "/datasets/";

// Exit code of fetch.sh; what it says is dropped.
int fetch(const std::string& arguments) {
  const std::string command = "sh '" + kDatasets + "fetch.sh' " + arguments + " >/dev/null 2>&1";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::set<std::string> sums_in(const std::string& path) {
  const std::string text = read_text_file(path);
  const std::regex sum("[0-9a-f]{64}");
  std::set<std::string> sums;
  for (std::sregex_iterator it(text.begin(), text.end(), sum), end; it != end; ++it) {
    sums.insert(it->str());
  }
  return sums;
}

TEST_CASE("fetch.sh: wrong arguments exit with 2, --help with 0") {
  CHECK(fetch("") == 2);
  CHECK(fetch("imagenet") == 2);
  CHECK(fetch("mnist cifar10") == 2);
  CHECK(fetch("mnist --root") == 2);
  CHECK(fetch("mnist --fast") == 2);
  CHECK(fetch("--help") == 0);
}

TEST_CASE("fetch.sh: files that are not the published ones are refused, and nothing is left") {
  const TempFolder folder;
  const std::vector<std::byte> bytes(10008);
  folder.write("from/t10k-labels-idx1-ubyte", bytes);
  CHECK(fetch("mnist --root " + folder.path() + "/data --from " + folder.path() + "/from") == 1);
  CHECK(std::filesystem::is_empty(folder.path() + "/data/mnist"));
  CHECK(fetch("mnist --root " + folder.path() + "/data --from " + folder.path() + "/no") == 1);
}

TEST_CASE("fetch.sh: checks with the same sums as the loaders") {
  std::set<std::string> expected = sums_in(kDatasets + "mnist.cc");
  expected.merge(sums_in(kDatasets + "cifar10.cc"));
  for (const std::string& sum : sums_in(kDatasets + "fetch.sh")) {
    CAPTURE(sum);
    CHECK(expected.erase(sum) == 1);
  }
  CHECK(expected.size() == 2);  // those of mnist_sample, which is not fetched
}

}  // namespace
}  // namespace octet

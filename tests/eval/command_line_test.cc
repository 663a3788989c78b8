#include "eval/command_line.h"

#include <filesystem>
#include <fstream>

#include "tests/file/temp_folder.h"
#include "tests/testing.h"

namespace octet {
namespace {

const std::vector<std::string> kOptions = {"config", "set",        "out",  "resume", "threads",
                                           "isa",    "stop-after", "json", "h",      "help"};

std::string key_hint(const std::string& name, const std::string& value) {
  const std::string set = set_option_for(name, value);
  return set.empty() ? "" : "; a key of the config is set with " + set;
}

std::string explain(const std::vector<std::string>& words) {
  return explain_unknown_option(words, kOptions, key_hint);
}

}  // namespace

TEST_SUITE_BEGIN("eval");

TEST_CASE("command line: a key of the config given as an option points at --set") {
  const std::string set = "; a key of the config is set with --set ";
  CHECK(explain({"--config", "a.yaml", "--epochs", "3"}) ==
        "unknown option --epochs" + set + "train.epochs=3 (or quantize.epochs)");
  CHECK(explain({"--epochs=3"}) ==
        "unknown option --epochs" + set + "train.epochs=3 (or quantize.epochs)");
  CHECK(explain({"--train.lr=0.1"}) == "unknown option --train.lr" + set + "train.lr=0.1");
  CHECK(explain({"--batch-size", "64"}) ==
        "unknown option --batch-size" + set + "data.batch_size=64");
  CHECK(explain({"--seed", "7"}) == "unknown option --seed" + set + "run.seed=7");
  CHECK(explain({"--nesterov"}) == "unknown option --nesterov" + set + "train.nesterov=VALUE");
  CHECK(explain({"--learning-rate", "1"}).find("--set train.lr=1") != std::string::npos);
  CHECK(explain({"--model", "resnet20"}).find("--set model.name=resnet20") != std::string::npos);
  CHECK(explain({"--dataset", "cifar10"}).find("--set data.name=cifar10") != std::string::npos);
  CHECK(explain({"--momentun", "0"}).find("--set train.momentum=0") != std::string::npos);
  CHECK(explain({"--init-from", "my model.safetensors"})
            .find("--set 'model.init_from=my model.safetensors'") != std::string::npos);
}

TEST_CASE("command line: a misspelled option is told the nearest, and dashes matter") {
  CHECK(explain({"--confg", "a.yaml"}) == "unknown option --confg; did you mean --config?");
  CHECK(explain({"--resum", "a"}) == "unknown option --resum; did you mean --resume?");
  CHECK(explain({"-config", "a.yaml"}) == "unknown option -config; did you mean --config?");
  CHECK(explain({"-s", "a=1"}) == "unknown option -s; did you mean --set or --stop-after?");
  CHECK(explain({"-z"}) == "unknown option -z; see --help");
  CHECK(explain({"--stop", "3"}) == "unknown option --stop; did you mean --stop-after?");
  CHECK(explain({"--gpus", "1"}) == "unknown option --gpus; see --help");
  CHECK(explain({"--\x1b[31m"}) == "unknown option --\\x1b[31m; see --help");
}

TEST_CASE("command line: what is known, a value or behind -- is no unknown option") {
  CHECK(explain({}).empty());
  CHECK(explain({"--config", "a.yaml", "-h", "--threads=2", "word", "-"}).empty());
  CHECK(explain({"--threads", "-5"}).empty());
  CHECK(explain({"--", "--epochs"}).empty());
}

TEST_CASE("command line: a word without an option is told where it belongs") {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "a run");
  std::ofstream(folder / "a run/config.yaml") << "";
  CHECK(explain_word("train.lr=0.1") == "; a key of the config is set with --set train.lr=0.1");
  CHECK(explain_word("lr=0.1").find("--set train.lr=0.1 (or ") != std::string::npos);
  CHECK(explain_word("nothing_like_it=1") == "; a key of the config is set with --set KEY=VALUE");
  CHECK(explain_word("lenet_qat.yaml") == "; a config is given with --config lenet_qat.yaml");
  CHECK(explain_word(folder / "a run") ==
        "; a run goes on with --resume '" + (folder / "a run") + "'");
  CHECK(explain_word("word").empty());
}

TEST_SUITE_END();

}  // namespace octet

#!/bin/bash
# coverage.sh [HARNESS...]: which lines of the readers of files the committed inputs of the fuzz harnesses reach
# (tests/fuzz/corpus and tests/fuzz/regressions; the seeds do not count). Per file a percentage and the lines that no input
# reaches; fails where a file is below 95 %. Debian: clang-14 llvm-14 libclang-rt-14-dev libomp-14-dev.
#
# What bytes cannot reach is left out by a comment of its own on the line before a function or a statement:
#   // not fuzzed: REASON
set -euo pipefail
cd "$(dirname "$0")/.."
least=95

# The readers: everything between bytes from outside and what the rest of the program may trust.
readers='
framework/file/checked.h framework/file/printable.cc framework/file/safetensors.cc framework/file/safetensors_header.cc framework/file/utf8.cc
framework/ir/graph_json.cc framework/ir/infer_shape.cc framework/ir/model_file.cc framework/ir/validate.cc
framework/io/checkpoint.cc framework/io/config_load.cc framework/io/config_read.cc framework/io/weights.cc
framework/io/yaml_tree.cc
framework/onnx/constant.cc framework/onnx/graph_reader.cc framework/onnx/import.cc framework/onnx/importer.cc
framework/onnx/importer_act.cc framework/onnx/importer_constants.cc framework/onnx/importer_layers.cc
framework/onnx/importer_pools.cc framework/onnx/importer_quant.cc framework/onnx/layer_spec.cc framework/onnx/layout.h
framework/onnx/op_signature.cc
framework/deploy/c_api.cc
models/torch_names.cc eval/initial_weights.cc
datasets/cifar10.cc datasets/dataset_file.cc datasets/exif.cc datasets/idx.cc datasets/image_file.cc
datasets/image_folder.cc datasets/image_format.cc datasets/jpeg_check.cc datasets/jpeg_header.cc
datasets/list_images.cc datasets/png_header.cc
train/check_tensors.cc train/run_state.cc'

.ci/fuzz.sh --build

folder=build/fuzz/coverage
rm -rf "$folder"
mkdir -p "$folder"
harnesses=$*
[ -n "$harnesses" ] || harnesses=$(cd build/fuzz/bin && printf '%s\n' fuzz_* | sed 's/^fuzz_//')
export OMP_NUM_THREADS=1 ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0:malloc_context_size=3
objects=
for harness in $harnesses; do
  inputs=
  for kind in corpus regressions; do
    [ ! -d "tests/fuzz/$kind/$harness" ] || inputs="$inputs tests/fuzz/$kind/$harness"
  done
  # shellcheck disable=SC2086  # a list of words
  LLVM_PROFILE_FILE=$folder/$harness.profraw build/fuzz/bin/fuzz_"$harness" -runs=0 -entropic=0 -timeout=300 $inputs \
    >"$folder/$harness.log" 2>&1 || { tail -n 20 "$folder/$harness.log" >&2; echo "error: the harness $harness failed" >&2; exit 1; }
  objects="${objects:+$objects -object }build/fuzz/bin/fuzz_$harness"
done
llvm-profdata-14 merge -sparse "$folder"/*.profraw -o "$folder/all.profdata"

# lcov: a file's "SF:path", then for each line of code "DA:line,executions".
# shellcheck disable=SC2086
llvm-cov-14 export $objects -format=lcov -instr-profile="$folder/all.profdata" $readers >"$folder/all.lcov" 2>"$folder/export.log" ||
  { cat "$folder/export.log" >&2; exit 1; }
# shellcheck disable=SC2086
awk -v least="$least" -v home="$PWD/" -v readers="$readers" '
  # The lines of a file that "// not fuzzed:" leaves out: the next line, and those up to the end of what begins there, a
  # statement or a block of braces.
  function read_source(file,   line, number, depth, waits, text, reason) {
    number = depth = waits = 0
    delete left_out
    delete source
    while ((getline line < file) > 0) {
      source[++number] = line
      if (line ~ /^ *\/\/ not fuzzed: ./) { waits = 1; depth = 0; continue }
      if (!waits) continue
      if (line ~ /^ *\/\//) continue  # the comment goes on
      left_out[number] = 1
      text = line
      gsub(/"([^"\\]|\\.)*"/, "", text)
      sub(/\/\/.*/, "", text)
      depth += gsub(/[{(]/, "", text) - gsub(/[})]/, "", text)
      if (depth <= 0 && line ~ /[;}]$/) waits = 0
    }
    close(file)
    if (number == 0) { print "error: " file " is not there"; failed = 1 }
  }
  /^SF:/ { path = substr($0, 4); if (index(path, home) == 1) path = substr(path, length(home) + 1) }
  /^DA:/ {
    split(substr($0, 4), part, ",")
    if (!((path, part[1]) in count) || count[path, part[1]] < part[2]) count[path, part[1]] = part[2]
    if (part[1] > last[path]) last[path] = part[1]
  }
  END {
    files = split(readers, file, " ")
    printf "%-44s %6s %8s %8s %8s\n", "file", "lines", "left out", "reached", "%"
    for (f = 1; f <= files; f++) {
      name = file[f]
      read_source(name)
      lines = reached = out = 0
      missing = ""
      for (i = 1; i <= last[name]; i++) if ((name, i) in count) {
        if (i in left_out) { out++; continue }
        lines++
        if (count[name, i] > 0) reached++
        else missing = missing sprintf("  %s:%d: %s\n", name, i, source[i])
      }
      if (lines == 0) { print "error: no harness has " name; failed = 1; continue }
      percent = 100 * reached / lines
      printf "%-44s %6d %8d %8d %8.1f%s\n", name, lines, out, reached, percent, percent < least ? "  BELOW " least : ""
      if (percent < least) failed = 1
      list = list missing
    }
    if (list != "") printf "\nnot reached:\n%s", list
    exit failed
  }' "$folder/all.lcov"

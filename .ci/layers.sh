#!/bin/bash
# layers.sh: every #include "folder/..." obeys the layer table below (docs/architecture.md explains it). The table is
# tried first on includes that are known to be right and wrong, so that the check itself cannot go blind.
set -euo pipefail
cd "$(dirname "$0")/.."

# folder: the folders it sees; it also sees what those see. `kernels` is kernels/qspec.h and its like, without the
# subfolders: only the runtime sees the integer kernels, so what training computes is independent of them.
table='
base:
file: base
kernels: base
kernels/f32: kernels
kernels/bf16: kernels/f32
kernels/u8s8: kernels
tensor: base kernels
autograd: tensor
ops: autograd kernels/f32 kernels/bf16
quant: ops
ir: base file kernels
nn: quant ir
optim: nn
data: tensor file
io: nn optim data file
onnx: nn ir file
qat: nn runtime
inference: nn runtime
runtime: base file ir kernels/u8s8
deploy: runtime
models: nn
datasets: data
'

# check FILE...: prints each forbidden include, fails if there was one. (tests, examples and programs see everything.)
check() {
  awk -v table="$table" '
    function folder_of(path) {  # the longest folder of the table that holds the path; "" if none does
      while (sub("/[^/]*$", "", path)) if (path in sees) return path
      return ""
    }
    BEGIN {
      rows = split(table, row, "\n")
      for (i = 1; i <= rows; i++) if (split(row[i], part, ":") == 2) {
        sees[part[1]] = 1
        reach[part[1], part[1]] = 1
        n = split(part[2], named, " ")
        for (j = 1; j <= n; j++) reach[part[1], named[j]] = 1
      }
      for (k in sees) for (i in sees) for (j in sees)  # Warshall: what they see
        if ((i, k) in reach && (k, j) in reach) reach[i, j] = 1
    }
    /^[ \t]*#[ \t]*include/ {
      path = FILENAME
      sub("^.*framework/", "", path)
      from = folder_of(path)
      if (from == "") next
      target = $0
      if ($0 ~ /<yaml-cpp/ && from != "io") verdict = "yaml-cpp stops at io"
      else if ($0 ~ /<(onnx|google\/protobuf)\// && from != "onnx") verdict = "protobuf stops at onnx"
      else if ($0 ~ /<(cxxopts|doctest)/) verdict = "only programs and tests see that"
      else if (!sub(/^[^"]*"/, "", target)) next
      else {
        sub(/".*$/, "", target)
        if (target !~ "/") next  # of the same folder
        to = folder_of(target)
        if (to == "") verdict = "no folder of the layer table"
        else if ((from, to) in reach) next
        else verdict = from " does not see " to
      }
      print FILENAME ":" FNR ": " $0 "  <- " verdict
      bad = 1
    }
    END { exit bad }' "$@"
}

# try FOLDER RIGHT|WRONG INCLUDE: the check itself is right about one include.
try() {
  mkdir -p "$trial/framework/$1"
  printf '#include %s\n' "$3" >"$trial/framework/$1/trial.cc"
  if check "$trial/framework/$1/trial.cc" >/dev/null; then found=right; else found=wrong; fi
  [ $found = "$2" ] || { echo "error: this check calls #include $3 in $1 $found"; exit 1; }
}
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
try runtime right '"kernels/u8s8/gemm.h"'
try runtime right '"kernels/qspec.h"'
try runtime wrong '"nn/module.h"'
try ops wrong '"kernels/u8s8/gemm.h"'
try tensor right '"kernels/qspec.h"'
try tensor wrong '"kernels/f32/gemm.h"'
try base wrong '"tensor/tensor.h"'
try base wrong '"models/lenet.h"'
try qat right '"kernels/u8s8/gemm.h"'
try qat wrong '<yaml-cpp/yaml.h>'
try io wrong '<onnx/onnx_pb.h>'
try onnx right '<onnx/onnx_pb.h>'
try onnx wrong '"qat/convert.h"'
try nn wrong '"framework/runtime/executor.h"'

.ci/sources.sh | grep -E '^(framework|models|datasets)/' | {
  mapfile -t files
  check "${files[@]}"
}

#!/bin/bash
# onnx_check.sh MODEL_INT8 DATASET ROOT [PERCENT]: exports an integer model to ONNX and checks it in ONNX Runtime against our
# engine: integers only in the optimized graph, each op alone within 1 code, PERCENT (99.9) of the predictions equal.
# DATASET "random" is noise that fits any model; IMAGES=N compares the first N predictions only. PYTHON, ORT and CACHE choose what ONNX Runtime is.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: $0 MODEL_INT8 DATASET ROOT [PERCENT]" >&2; exit 2; }
model=$(realpath "$1") dataset=$2 root=$(realpath "$3") percent=${4-99.9}
cd "$(dirname "$0")/../.."

ort=${ORT-1.32.0}
venv=${VENV-${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/octet/peers}/onnxruntime-$ort}
if ! "$venv/bin/python" -c 'import onnxruntime, onnx' 2>/dev/null; then
  echo "installing ONNX Runtime $ort into $venv (once; nothing else needs it)" >&2
  "${PYTHON-python3}" -m venv "$venv" || { echo "error: no venv: apt-get install python3-venv" >&2; exit 1; }
  "$venv/bin/pip" install --quiet "onnxruntime==$ort" onnx || { echo "error: ONNX Runtime could not be installed" >&2; exit 1; }
fi
./octet eval --help >/dev/null  # builds it
cmake --build --preset release --target dump_values >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/release/bin/eval "$model" --export-onnx "$work/model.onnx"
build/release/bin/dump_values "$model" "$dataset" "$root" "$work/values.safetensors" ${IMAGES:+"$IMAGES"}
"$venv/bin/python" bench/peers/onnx_check.py "$work/model.onnx" "$work/values.safetensors" --min-agreement "$percent"

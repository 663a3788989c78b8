#!/bin/bash
# onnx_import.sh [ROOT]: a network that was trained and quantized elsewhere, run by Octet in integers: a ResNet trained on CIFAR-10 (in
# ROOT, "data") by PyTorch for some minutes, written by PyTorch's two exporters and quantized by ONNX Runtime's quantizer (QDQ). Prints
# top-1 on the test set, theirs in ONNX Runtime and ours of the integer model, and fails if they are more than POINTS (0.2) apart.
#   MODEL=resnet20 EPOCHS=2 (of PyTorch's training)   WEIGHTS=FILE.pt (instead of training; written when it is not there)
#   PYTHON, TORCH, ORT and CACHE choose what the peers are
set -euo pipefail
root=$(realpath "${1-data}")
cd "$(dirname "$0")/../.."
. bench/peers/common.sh

ort=${ORT-1.32.0}
model=${MODEL-resnet20}
import_venv=${IMPORT_VENV-${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/octet/peers}/import-$torch-$ort}
if ! "$import_venv/bin/python" -c 'import torch, onnx, onnxruntime, onnxscript' 2>/dev/null; then
  echo "installing PyTorch $torch and ONNX Runtime $ort into $import_venv (once, about 1 GB; nothing else needs them)" >&2
  "${PYTHON-python3}" -m venv "$import_venv" || { echo "error: no venv: apt-get install python3-venv" >&2; exit 1; }
  "$import_venv/bin/pip" install --quiet "torch==$torch" "onnxruntime==$ort" onnx onnxscript ||
    { echo "error: the peers could not be installed" >&2; exit 1; }
fi
./octet train --help >/dev/null  # builds it

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
weights=${WEIGHTS-$work/weights.pt}
if [ ! -e "$weights" ]; then
  "$import_venv/bin/python" -W ignore bench/peers/onnx_import_train.py "$weights" --model "$model" --data "$root" \
    --epochs "${EPOCHS-2}"
fi
"$import_venv/bin/python" -W ignore bench/peers/onnx_import.py "$weights" "$work" --model "$model" --data "$root" \
  --points "${POINTS-0.2}"

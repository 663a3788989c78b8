#!/bin/bash
# infer.sh [ROUNDS]: inference, Octet against ONNX Runtime, OpenVINO and PyTorch on the exported model, in turns on this machine:
# milliseconds a batch, the ratio to the best peer, and how many predictions are ours. Settings by environment:
#   MODELS='lenet resnet50' PRECISIONS='int8 fp32' BATCHES='1 64' THREADS='1 2' SECONDS_EACH=1 PEERS='onnxruntime openvino torch'
#   LENET=RUN RESNET50=RUN (run folders; without one a model is trained for seconds on images made for it, and the output says so)
#   IMAGES=1000 (at most so many predictions are compared)   PYTHON, ORT, OPENVINO, TORCH and CACHE choose what the peers are
set -euo pipefail
cd "$(dirname "$0")/../.."
thread_counts=${THREADS-1 2}
unset THREADS
. bench/peers/common.sh

rounds=${1-5}
ort=${ORT-1.32.0}
openvino=${OPENVINO-2026.4.1}
peers=${PEERS-onnxruntime openvino torch}
infer_venv=${INFER_VENV-${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/octet/peers}/infer-$ort-$openvino}
if ! "$infer_venv/bin/python" -c 'import onnxruntime, openvino, onnx' 2>/dev/null; then
  echo "installing ONNX Runtime $ort and OpenVINO $openvino into $infer_venv (once; nothing else needs them)" >&2
  "${PYTHON-python3}" -m venv "$infer_venv" || { echo "error: no venv: apt-get install python3-venv" >&2; exit 1; }
  "$infer_venv/bin/pip" install --quiet "onnxruntime==$ort" "openvino==$openvino" onnx ||
    { echo "error: the peers could not be installed" >&2; exit 1; }
fi
[[ " $peers " != *" torch "* ]] || install_torch
./octet bench --help >/dev/null  # builds it
./octet eval --help >/dev/null
./octet train --help >/dev/null
cmake --build --preset release --target dump_values >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# make_run MODEL: a run of some training steps and PTQ, for a model that no trained run was given for.
make_run() {
  case $1 in
    lenet)
      set -- lenet lenet_ptq.yaml 2 --set data.name=mnist_sample --set data.augment.shift=0 --set data.augment.rotate_degrees=0
      ;;
    *)
      "${PYTHON-python3}" bench/peers/make_images.py "$work/images"
      set -- "$1" "$1.yaml" 2 --set data.name=image_folder --set "data.root=$work/images" --set data.batch_size=16 \
        --set data.progressive.start_size=0
      ;;
  esac
  echo "$1: no trained run given; trained for $3 epochs on ${5#data.name=}, then PTQ (speed does not depend on it)" >&2
  ./octet train --config "configs/$2" --out "$work/$1" --set "train.epochs=$3" --set train.warmup_epochs=0 \
    --set quantize.method=ptq --set quantize.calibration_batches=4 "${@:4}" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
}

echo "inference, $(cpu); ONNX Runtime $ort, OpenVINO $openvino, PyTorch $torch; ms a batch, median of $rounds rounds in turns"
for model in ${MODELS-lenet resnet50}; do
  variable=${model^^}
  run=${!variable-}
  if [ -z "$run" ]; then
    make_run "$model"
    run=$work/$model
  fi
  ./octet eval "$run" --fp32 --export-onnx "$work/$model-fp32.onnx" >/dev/null
  ./octet eval "$run" --export-onnx "$work/$model-int8.onnx" >/dev/null
  build/release/bin/dump_values "$run" - - "$work/$model.safetensors" "${IMAGES-1000}"
  # shellcheck disable=SC2086  # lists of words
  "$infer_venv/bin/python" -W ignore bench/peers/infer.py "$model" "$work/$model" --rounds "$rounds" \
    --seconds "${SECONDS_EACH-1}" --torch-python "$venv/bin/python" --peers $peers --precisions ${PRECISIONS-int8 fp32} \
    --batches ${BATCHES-1 64} --threads $thread_counts
done

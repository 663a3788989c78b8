#!/bin/bash
# mnist.sh: a short training on real MNIST, one epoch of float and one of QAT, evaluated as integers: the accuracy is that
# of a network that learns, and the integer model equals the fake-quantized one in every element.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x build/release/bin/train ] || { echo "error: no build/release/bin/train: run ./octet build first"; exit 1; }
export OCTET_HOME=$PWD

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build/release/bin/train --config configs/lenet_qat.yaml --set train.epochs=1 --set quantize.epochs=1 --out "$work/run"
build/release/bin/eval "$work/run" --int8 --require-top1 97
build/release/bin/eval "$work/run" --verify

#!/bin/bash
# lenet_train.sh [ROUNDS]: LeNet training, Octet against PyTorch, in turns on this machine: images per second and the ratio.
# Same network, batch and threads. THREADS=N changes the threads; PYTHON, TORCH and CACHE choose what PyTorch is.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${1-3}
threads=${THREADS-$(nproc)}
batch=128
torch=${TORCH-2.13.0}
venv=${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/octet/peers}/torch-$torch
unset OPENBLAS_CORETYPE  # some environments pin it to an older core

if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
  echo "installing PyTorch $torch into $venv (once, about 1 GB; nothing else needs it)" >&2
  "${PYTHON-python3}" -m venv "$venv" || { echo "error: no venv: apt-get install python3-venv" >&2; exit 1; }
  "$venv/bin/pip" install --quiet "torch==$torch" || { echo "error: PyTorch $torch could not be installed" >&2; exit 1; }
fi
./octet train --help >/dev/null  # builds it

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Ours: the rate over three epochs on real MNIST, with loading and shuffling, without augmentation.
octet_rate() {
  rm -rf "$work/run"
  ./octet train --config configs/lenet.yaml --threads "$threads" --out "$work/run" --set "data.batch_size=$batch" \
    --set train.epochs=3 --set train.warmup_epochs=0 \
    --set data.augment.shift=0 --set data.augment.rotate_degrees=0 --set data.augment.scale=0 >"$work/log" 2>&1 ||
    { tail "$work/log" >&2; exit 1; }
  sed -nE 's/.*"train_images_per_second": *([0-9]+).*/\1/p' "$work/run/summary.json"
}

# PyTorch's: the best of its layouts. Its memory is kept between steps instead of being given back to the system.
torch_rate() {
  MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=1073741824 MALLOC_TOP_PAD_=67108864 OMP_NUM_THREADS=$threads \
    "$venv/bin/python" -W ignore bench/peers/lenet_train.py --batch-size $batch --threads "$threads" | tee -a "$work/torch.json" |
    sed -nE 's/.*"images_per_second": *([0-9]+).*/\1/p'
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

echo "LeNet training, batch $batch, $threads threads, $(grep -m 1 'model name' /proc/cpuinfo | sed 's/.*: //')"
printf '%-8s %14s %14s   images/s\n' round Octet "PyTorch $torch"
for round in $(seq "$rounds"); do
  ours=$(octet_rate)
  theirs=$(torch_rate)
  echo "$ours" >>"$work/ours"
  echo "$theirs" >>"$work/theirs"
  printf '%-8s %14s %14s   %s\n' "$round" "$ours" "$theirs" "$(tail -n 1 "$work/torch.json")"
done
awk -v ours="$(median "$work/ours")" -v theirs="$(median "$work/theirs")" \
  'BEGIN { printf "%-8s %14d %14d   ratio %.2f\n", "median", ours, theirs, ours / theirs }'

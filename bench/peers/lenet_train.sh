#!/bin/bash
# lenet_train.sh [ROUNDS]: LeNet training, Octet against PyTorch, in turns on this machine: images per second and the ratio.
# Same network, batch and threads. THREADS=N changes the threads; PYTHON, TORCH and CACHE choose what PyTorch is.
set -euo pipefail
cd "$(dirname "$0")/../.."
. bench/peers/common.sh

rounds=${1-3}
batch=128
install_torch
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
  field train_images_per_second "$work/run/summary.json"
}

# PyTorch's: the best of its layouts.
torch_rate() {
  run_torch malloc bench/peers/lenet_train.py --batch-size $batch >"$work/torch.json"
  field images_per_second "$work/torch.json"
}

echo "LeNet training, batch $batch, $threads threads, $(cpu)"
printf '%-8s %14s %14s   images/s\n' round Octet "PyTorch $torch"
for round in $(seq "$rounds"); do
  ours=$(octet_rate)
  theirs=$(torch_rate)
  echo "$ours" >>"$work/ours"
  echo "$theirs" >>"$work/theirs"
  printf '%-8s %14.0f %14.0f   %s\n' "$round" "$ours" "$theirs" "$(cat "$work/torch.json")"
done
awk -v ours="$(median "$work/ours")" -v theirs="$(median "$work/theirs")" \
  'BEGIN { printf "%-8s %14d %14d   ratio %.2f\n", "median", ours, theirs, ours / theirs }'

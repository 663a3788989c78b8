#!/bin/bash
# resnet_train.sh [ROUNDS]: ResNet training, Octet against PyTorch, in turns on this machine: images per second and the ratio.
# Same network, batch and threads, random images in memory on both sides. Settings by environment:
#   MODEL=resnet50 BATCH=128 THREADS=N PRECISIONS='fp32 bf16' LAYOUTS='nchw channels_last' SECONDS_EACH=10
#   COMPILE=1 (tries torch.compile too)   PYTHON, TORCH and CACHE choose what PyTorch is
set -euo pipefail
cd "$(dirname "$0")/../.."
. bench/peers/common.sh

rounds=${1-3}
model=${MODEL-resnet50}
batch=${BATCH-128}
seconds=${SECONDS_EACH-10}
read -ra layouts <<<"${LAYOUTS-nchw channels_last}"
install_torch
./octet bench --help >/dev/null  # builds it

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# octet_rate PRECISION: the median step of `bench model`; nothing where we do not have the precision.
octet_rate() {
  ./octet bench model --model "$model" --mode train --batch "$batch" --threads "$threads" --precision "$1" \
    --seconds "$seconds" --json >"$work/octet.json" 2>"$work/log" ||
    { grep -q 'not there yet' "$work/log" && return; cat "$work/log" >&2; exit 1; }
  printf '%.2f\n' "$(field images_per_second "$work/octet.json")"
}

# torch_rate PRECISION: the best of its allocators, layouts and compilations; which one it was is left in $work/best.
torch_rate() {
  local malloc best=0 rate
  for malloc in $(mallocs); do
    run_torch "$malloc" bench/peers/resnet_train.py --model "$model" --batch-size "$batch" --precision "$1" \
      --layouts "${layouts[@]}" ${COMPILE:+--compile} --windows 3 --window-seconds "$(awk "BEGIN { print $seconds / 3 }")" \
      >"$work/torch.json"
    rate=$(field images_per_second "$work/torch.json")
    if awk "BEGIN { exit !($rate > $best) }"; then
      best=$rate
      echo "$malloc $(cat "$work/torch.json")" >"$work/best"
    fi
  done
  echo "$best"
}

echo "$model training, batch $batch, $threads threads, $(cpu); PyTorch's allocators: $(mallocs | tr '\n' ' ')"
printf '%-14s %14s %14s   images/s\n' '' Octet "PyTorch $torch"
for round in $(seq "$rounds"); do
  for precision in ${PRECISIONS-fp32 bf16}; do
    ours=$(octet_rate "$precision")
    theirs=$(torch_rate "$precision")
    [ -z "$ours" ] || echo "$ours" >>"$work/ours-$precision"
    echo "$theirs" >>"$work/theirs-$precision"
    printf '%-14s %14s %14s   %s\n' "$round, $precision" "${ours:--}" "$theirs" "$(cat "$work/best")"
  done
done
for precision in ${PRECISIONS-fp32 bf16}; do
  theirs=$(median "$work/theirs-$precision")
  if [ -e "$work/ours-$precision" ]; then
    awk -v p="$precision" -v ours="$(median "$work/ours-$precision")" -v theirs="$theirs" \
      'BEGIN { printf "%-14s %14.2f %14.2f   ratio %.2f\n", "median, " p, ours, theirs, ours / theirs }'
  else
    printf '%-14s %14s %14.2f   no %s in Octet yet\n' "median, $precision" - "$theirs" "$precision"
  fi
done

#!/bin/bash
# same_logits.sh [MODEL]: the integer model gives the same logits, hash for hash, with every instruction set, batch and
# number of threads on this machine and, under qemu, with the plain and the NEON kernels of AArch64. Its input are the
# committed 1,000 MNIST test images.
set -euo pipefail
cd "$(dirname "$0")/.."

# The model to compare with; none is committed before the file format is final.
model=${1-tests/golden/lenet_int8.safetensors}
[ -f "$model" ] || { echo "error: no model $model: name one, such as runs/NAME/model_int8.safetensors"; exit 1; }

images=$(mktemp)
trap 'rm -f "$images"' EXIT
gzip -dc tests/data/fixtures/mnist-1000-images-idx3-ubyte.gz | tail -c +17 >"$images"  # without the idx header

hashes=()
# try ISA COMMAND...: prints and keeps the hash that the program prints, with kernels up to this instruction set.
try() {
  local hash
  hash=$(OCTET_ISA=$1 "${@:2}" "$model" "$images")
  printf '%s  %s\n' "$hash" "$1 ${*:2}"
  hashes+=("$hash")
}
# has ISA: this machine can run it; /proc/cpuinfo writes avx_vnni and avx512_vnni.
has() { [ "$1" = scalar ] || grep -qwE "${1/vnni/_?vnni}" /proc/cpuinfo; }
for isa in scalar avx2 avxvnni avx512vnni; do
  has $isa || { echo "this machine has no $isa"; continue; }
  for shape in '1 1' '7 2' '64 3' '64 4'; do
    try $isa build/release/bin/logits_hash --batch "${shape% *}" --threads "${shape#* }"
  done
done
for isa in scalar neondot; do
  try $isa qemu-aarch64 -L /usr/aarch64-linux-gnu build/arm64/bin/logits_hash
done

distinct=$(printf '%s\n' "${hashes[@]}" | sort -u | wc -l)
[ "$distinct" -eq 1 ] || { echo "error: $distinct different hashes"; exit 1; }

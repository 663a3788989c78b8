#!/bin/bash
# same_logits.sh [MODEL]: the integer model gives the same logits, hash for hash, with every instruction set of this
# machine and, under qemu, with the plain and the NEON kernels of AArch64. Input: the committed 1,000 MNIST test images.
set -euo pipefail
cd "$(dirname "$0")/.."

# The model to compare with; none is committed before the file format is final.
model=${1-tests/golden/lenet_int8.safetensors}
[ -f "$model" ] || { echo "error: no model $model: name one, such as runs/NAME/model_int8.safetensors"; exit 1; }

images=$(mktemp)
trap 'rm -f "$images"' EXIT
gzip -dc tests/data/fixtures/mnist-1000-images-idx3-ubyte.gz | tail -c +17 >"$images"  # without the idx header

hashes=()
# try ISA COMMAND...: prints and keeps the hash that the program prints last, with kernels up to this instruction set.
try() {
  local hash
  hash=$(OCTET_ISA=$1 "${@:2}" "$model" "$images" | tail -n 1 | grep -oE '[0-9a-f]{64}')
  printf '%-10s %s\n' "$1" "$hash"
  hashes+=("$hash")
}
for isa in scalar avx2 avxvnni avx512vnni; do try $isa build/release/bin/logits_hash; done
for isa in scalar neondot; do
  try $isa qemu-aarch64 -L /usr/aarch64-linux-gnu build/arm64/bin/logits_hash
done

distinct=$(printf '%s\n' "${hashes[@]}" | sort -u | wc -l)
[ "$distinct" -eq 1 ] || { echo "error: $distinct different hashes"; exit 1; }

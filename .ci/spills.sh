#!/bin/bash
# spills.sh [BUILD]: the hot loops of the kernels keep their accumulators in registers. GCC 12 stores and loads them in
# each step where it has the chance, which halves the speed and changes no result (framework/kernels/u8s8/gemm_tiles.h).
# A hot loop is an innermost loop of which at least a tenth are multiply-adds; in it no vector register may meet the
# stack (but an activation may be broadcast from there). x86-64 only; the check is tried first on loops that are known to be right and wrong.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1-build/release}

# spilled: reads `objdump -d`, prints each access to the stack in a hot loop, then `N hot loops`. Fails on such accesses.
spilled() {
  awk '
    /^[0-9a-f]+ <.*>:$/ { name = $0; sub(/^[0-9a-f]+ /, "", name) }
    !/^ *[0-9a-f]+:\t/ { next }
    {
      address = $1; sub(/:$/, "", address)
      n++
      at[address] = n
      text[n] = $0
      function_of[n] = name
      multiply[n] = /\t(\{vex\} )?v(pmaddwd|pdpbusd|fmadd[0-9]+ps|dpbf16ps) /
      if (/\tmov +%rsp,%rbp/) frame[name] = 1  # elsewhere %rbp is a register like others
      stack[n] = /%[xyz]mm/ && !/broadcast/ && (/\(%rsp/ || name in frame && /-0x[0-9a-f]+\(%rbp/)
      if ($2 ~ /^j/ && $3 in at) {  # jumps back: a loop from there to here
        first[++loops] = at[$3]
        last[loops] = n
      }
    }
    END {
      for (i = 1; i <= loops; i++) innermost[i] = 1
      # Loops come in the order of their ends; one that holds the end of another is no innermost.
      for (i = 2; i <= loops; i++)
        for (j = i - 1; j >= 1 && last[j] >= first[i]; j--) if (first[j] >= first[i]) innermost[i] = 0
      for (i = 1; i <= loops; i++) {
        count = 0
        for (k = first[i]; k <= last[i]; k++) count += multiply[k]
        if (!innermost[i] || count * 10 < last[i] - first[i] + 1 || count == 0) continue
        hot++
        for (k = first[i]; k <= last[i]; k++) if (stack[k]) {
          print "in " function_of[k] " " text[k]
          bad = 1
        }
      }
      print hot + 0 " hot loops"
      exit bad
    }'
}

# loop INSTRUCTION...: what objdump prints of a loop of these instructions.
loop() {
  printf '0000000000000010 <kernel>:\n'
  local address=16
  for instruction; do printf '  %x:\t%s\n' $((address++)) "$instruction"; done
  printf '  %x:\tjne    10 <kernel>\n' $address
}
good='vpmaddwd %ymm1,%ymm2,%ymm3'
[ "$(loop "$good" | spilled)" = '1 hot loops' ]
loop "$good" 'vpbroadcastd (%rbp),%ymm1' 'mov 0x8(%rsp),%rax' | spilled >/dev/null
! loop "$good" 'vmovdqa %ymm0,0x60(%rsp)' | spilled >/dev/null
! loop 'mov    %rsp,%rbp' 'vfmadd231ps %zmm1,%zmm2,%zmm3' 'vmovaps -0x40(%rbp),%zmm0' | spilled >/dev/null
loop 'vfmadd231ps %zmm1,%zmm2,%zmm3' 'vmovaps -0x40(%rbp),%zmm0' | spilled >/dev/null

mapfile -t objects < <(find "$build" -regextype egrep -regex '.*framework/.*/(gemm|depthwise|pooled_conv)_(avx2|avxvnni|avx512vnni|avx512bf16|avx512)\.cc\.o')
[ ${#objects[@]} -gt 0 ] || { echo "error: no kernel objects in $build: build it first"; exit 1; }

bad=0
for object in "${objects[@]}"; do
  if ! found=$(objdump -d --no-show-raw-insn "$object" | spilled); then bad=1; fi
  sed "s|^|$object: |" <<<"$found"
  [ "${found##*$'\n'}" != '0 hot loops' ] || { echo "error: no hot loop was recognized in $object"; bad=1; }
done
[ $bad -eq 0 ] || { echo "error: accumulators leave the registers in a hot loop"; exit 1; }

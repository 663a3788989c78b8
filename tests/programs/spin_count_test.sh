#!/bin/bash
# spin_count_test.sh PROGRAM...: OpenMP's threads spin briefly in each program, whoever starts it, unless the caller has
# chosen something else. libgomp prints what it has read.
set -euo pipefail
unset GOMP_SPINCOUNT OMP_WAIT_POLICY OMP_DISPLAY_ENV
# spins PROGRAM VARIABLE=VALUE...: the number that holds when the program has begun
spins() {
  local program=$1
  shift
  env "$@" OMP_DISPLAY_ENV=verbose "$program" --help 2>&1 >/dev/null | sed -nE "s/.*GOMP_SPINCOUNT = '([0-9]+)'.*/\1/p" | tail -n 1
}
for program; do
  wanted=100
  for chosen in OCTET_NOTHING=1 GOMP_SPINCOUNT=7 OMP_WAIT_POLICY=passive; do
    case $chosen in GOMP*) wanted=7 ;; OMP*) wanted=0 ;; esac
    got=$(spins "$program" $chosen)
    [ "$got" = "$wanted" ] || { echo "error: $program spins \"$got\" times instead of $wanted with $chosen"; exit 1; }
  done
done

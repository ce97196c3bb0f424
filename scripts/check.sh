#!/usr/bin/env bash
# The gate: format, lints, tests, documentation; the quick ones first. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  -h | --help)
    cat <<'HELP'
scripts/check.sh [ARGUMENTS…]: the gate. Arguments go to `cargo test`.

Steps: cargo fmt, cargo clippy, cargo deny (if installed), cargo test, cargo doc; warnings are errors. A step whose tool is
not installed is left out, and the last line says so; so is the test that needs python-stdnum. scripts/test does the same and
installs what is missing.
HELP
    exit 0 ;;
esac

left_out=()
step() { # NAME COMMAND…
  local name=$1 began=$SECONDS
  shift
  printf '== %s\n' "$name"
  if ! "$@"; then
    printf 'FAILED: %s (%s)\n' "$name" "$*" >&2
    exit 1
  fi
  printf '== %s: fine, %d s\n' "$name" $((SECONDS - began))
}
optional() { # NAME HINT COMMAND…
  local name=$1 hint=$2
  shift 2
  if "$1" "$2" --version >/dev/null 2>&1; then
    step "$name" "$@"
  else
    left_out+=("$name ($hint)")
  fi
}

optional format "rustup component add rustfmt" cargo fmt --check
optional dependencies "cargo install cargo-deny" cargo deny --locked --offline check bans licenses sources
optional lints "rustup component add clippy" cargo clippy --all-targets --locked --quiet -- -D warnings
has_stdnum() { "$1" -c 'import stdnum' 2>/dev/null; }
if ! has_stdnum target/venv/bin/python && ! has_stdnum python3; then
  left_out+=("identifiers judged by python-stdnum (python3 -m venv target/venv && target/venv/bin/pip install python-stdnum)")
fi
if ! command -v chromium >/dev/null; then
  left_out+=("the report in a browser (apt-get install chromium)")
fi
step tests cargo test --locked "$@"
step documentation env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked --quiet

printf '\nEverything that ran is fine.\n'
for name in ${left_out[@]+"${left_out[@]}"}; do
  printf 'Left out, not installed: %s\n' "$name"
done

#!/usr/bin/env bash
# Finds the PostgreSQL server programs and the Rust toolchain, and runs private clusters.
# Run it (see --help), or source it for the functions. It never starts, stops or changes a cluster of the system.
set -euo pipefail

RUST_LEAST=1.95

say() { printf '%s\n' "$*" >&2; }
fail() { say "error: $1"; shift; for line in "$@"; do say "  $line"; done; exit 2; }

# --- PostgreSQL ------------------------------------------------------------------------------------------------------

pg_complete() { # DIR: holds every program we need
  local program
  for program in initdb pg_ctl postgres psql pg_dump pg_restore; do
    [ -x "$1/$program" ] || return 1
  done
}

# Prints the folder with the server programs: $PG_BIN, else the newest installed version, else what PATH leads to.
pg_bin() {
  local dir found
  if [ -n "${PG_BIN:-}" ]; then
    pg_complete "$PG_BIN" || fail "PG_BIN=$PG_BIN does not hold initdb, pg_ctl, postgres, psql, pg_dump and pg_restore."
    printf '%s\n' "$PG_BIN"
    return 0
  fi
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
                 /usr/local/opt/postgresql@*/bin /opt/postgresql*/bin /opt/pgsql*/bin | sort -rV); do
    if pg_complete "$dir"; then printf '%s\n' "$dir"; return 0; fi
  done
  if found=$(command -v initdb); then
    dir=$(dirname "$(readlink -f "$found")")
    if pg_complete "$dir"; then printf '%s\n' "$dir"; return 0; fi
  fi
  for dir in /usr/local/pgsql/bin /opt/*/bin; do
    if pg_complete "$dir"; then printf '%s\n' "$dir"; return 0; fi
  done
  return 1
}

as_root() { # runs a command as root, or fails
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo -n "$@"; else return 1; fi
}
can_be_root() { as_root true >/dev/null 2>&1; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" >&2; }

# Installs the server programs with apt-get, without letting the package create or start a cluster.
pg_install() {
  if ! command -v apt-get >/dev/null || ! can_be_root; then
    fail "PostgreSQL server programs (14 or newer, with contrib) were not found." \
      "Debian, Ubuntu: sudo apt-get install -y postgresql postgresql-contrib" \
      "Fedora, RHEL:   sudo dnf install -y postgresql-server postgresql-contrib" \
      "macOS:          brew install postgresql@17" \
      "Elsewhere:      export PG_BIN=/path/to/postgresql/bin"
  fi
  say "installing PostgreSQL with apt-get (no cluster is created or started)"
  apt update
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    # The file is new, so nobody decided otherwise: our programs start clusters of their own.
    apt install -y --no-install-recommends postgresql-common
    as_root sed -i -E 's/^#? *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  fi
  apt install -y --no-install-recommends postgresql postgresql-contrib postgresql-client
}

# Makes sure the server programs are there, and puts them first in PATH.
pg_ensure() {
  local dir
  if ! dir=$(pg_bin); then
    [ -z "${PG_BIN:-}" ] || exit 2 # pg_bin said what is wrong with it.
    pg_install
    dir=$(pg_bin) || fail "PostgreSQL was installed, but its server programs were not found." "Set PG_BIN to their folder."
  fi
  export PG_BIN=$dir PATH="$dir:$PATH"
}

# --- Rust ------------------------------------------------------------------------------------------------------------

# Makes sure that cargo is new enough and that there is a C compiler.
rust_ensure() {
  local version rustup="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c rustfmt -c clippy"
  if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
  fi
  command -v cargo >/dev/null || fail "cargo was not found. Rust $RUST_LEAST or newer is needed; install it with rustup:" "$rustup"
  version=$(cargo --version | awk '{print $2}')
  if [ "$(printf '%s\n' "$RUST_LEAST" "$version" | sort -V | head -n 1)" != "$RUST_LEAST" ]; then
    if command -v rustup >/dev/null; then
      fail "cargo $version is too old, $RUST_LEAST or newer is needed:" "rustup update stable && rustup default stable"
    fi
    fail "cargo $version is too old, $RUST_LEAST or newer is needed; install it with rustup:" "$rustup"
  fi
  if ! command -v cc >/dev/null; then
    if command -v apt-get >/dev/null && can_be_root; then
      say "installing a C compiler with apt-get (build-essential)"
      apt update
      apt install -y --no-install-recommends build-essential
    else
      fail "No C compiler (cc) was found; some crates hold C code." \
        "Debian, Ubuntu: sudo apt-get install -y build-essential" "Fedora, RHEL: sudo dnf install -y gcc" "macOS: xcode-select --install"
    fi
  fi
}

# --- Clusters --------------------------------------------------------------------------------------------------------

# Runs a command as the user servers run as: PostgreSQL refuses to run as root.
as_server() {
  local user=${PG_OS_USER:-postgres}
  if [ "$(id -u)" != 0 ]; then "$@"; return 0; fi
  id "$user" >/dev/null 2>&1 || fail "PostgreSQL does not run as root, and there is no user \"$user\"." \
    "useradd --system --shell /usr/sbin/nologin $user, or set PG_OS_USER."
  if command -v runuser >/dev/null; then (cd / && runuser -u "$user" -- "$@"); else
    (cd / && su -s /bin/sh "$user" -c "$(printf '%q ' "$@")")
  fi
}

# pg_start DIR PORT [SETTING=VALUE…]: starts the cluster in DIR, made first if it is not there.
# Superuser "postgres" through the socket in DIR/socket, which only its owner may enter; over TCP (127.0.0.1) with the
# password in DIR/password.
pg_start() {
  local dir=$1 port=$2 bin setting locale=C.UTF-8 made=no
  shift 2
  pg_ensure
  bin=$PG_BIN
  case $port in '' | *[!0-9]*) fail "\"$port\" is not a port." ;; esac
  [ -d "$dir" ] || { mkdir -p "$dir" && made=yes; }
  dir=$(cd "$dir" && pwd)
  [ ${#dir} -le 80 ] || fail "The path $dir is too long for a Unix socket; choose a shorter one."
  if [ "$(id -u)" = 0 ]; then chown "${PG_OS_USER:-postgres}" "$dir"; fi
  as_server test -w "$dir" || { [ "$made" = no ] || rmdir "$dir"; false; } || fail "The user servers run as cannot write to $dir." "Choose a folder outside of a private home."
  if [ ! -e "$dir/data/PG_VERSION" ]; then
    [ "$(uname)" != Darwin ] || locale=en_US.UTF-8
    as_server sh -c 'umask 077; mkdir -p "$1/socket"; od -An -N16 -tx1 /dev/urandom | tr -d " \n" > "$1/password"' - "$dir"
    as_server "$bin/initdb" -D "$dir/data" -U postgres -E UTF8 --locale="$locale" --auth-local=trust \
      --auth-host=scram-sha-256 --pwfile="$dir/password" >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; fail "initdb failed."; }
    as_server sh -c 'echo "include_if_exists = '"'private.conf'"'" >> "$1/data/postgresql.conf"' - "$dir"
  fi
  {
    printf "listen_addresses = '127.0.0.1'\nport = %s\nunix_socket_directories = '%s/socket'\n" "$port" "$dir"
    for setting in "$@"; do printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"; done
  } | as_server sh -c 'cat > "$1/data/private.conf"' - "$dir"
  if as_server "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
    as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -m fast -w restart >/dev/null
  elif ! as_server "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start >/dev/null; then
    tail -n 5 "$dir/log" >&2
    fail "The cluster in $dir did not start; is port $port free?"
  fi
}

# pg_stop DIR: stops the cluster in DIR, if it runs.
pg_stop() {
  pg_ensure
  local dir
  dir=$(cd "$1" && pwd) || fail "There is no folder $1."
  if as_server "$PG_BIN/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
    as_server "$PG_BIN/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null
  fi
}

pg_usage() {
  cat <<'HELP'
scripts/pg.sh: PostgreSQL server programs and private clusters.

  pg.sh bin                          print the folder of the server programs (PG_BIN overrides the search)
  pg.sh install                      install them with apt-get if they are missing; never creates a cluster
  pg.sh rust                         check cargo (1.95 or newer) and the C compiler
  pg.sh start DIR PORT [NAME=VALUE…] start a private cluster in DIR (made first if needed) with these settings
  pg.sh stop DIR                     stop it; remove DIR afterwards if you like

A cluster listens on 127.0.0.1 (password in DIR/password) and on the socket in DIR/socket. As root, servers run as the
user "postgres" (PG_OS_USER). Exit code 2: something has to be installed; the message says what.
HELP
}

pg_main() {
  case ${1:-} in
    bin) pg_bin || fail "PostgreSQL server programs were not found." "Run: scripts/pg.sh install" ;;
    install) pg_ensure; say "PostgreSQL server programs: $PG_BIN" ;;
    rust) rust_ensure; say "$(cargo --version), C compiler $(command -v cc)" ;;
    start)
      [ $# -ge 3 ] || fail "Usage: pg.sh start DIR PORT [NAME=VALUE…]"
      shift; pg_start "$@"
      local dir
      dir=$(cd "$1" && pwd)
      printf 'export PGHOST=%s/socket PGPORT=%s PGUSER=postgres\n' "$dir" "$2" ;;
    stop) [ $# = 2 ] || fail "Usage: pg.sh stop DIR"; pg_stop "$2" ;;
    -h | --help | help) pg_usage ;;
    *) pg_usage >&2; exit 2 ;;
  esac
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then pg_main "$@"; fi

#!/usr/bin/env bash
# Fetches what the test of PostgreSQL's own regression database needs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1:-} in
  -h | --help)
    cat <<'HELP'
scripts/regression.sh [MAJOR]: fetches PostgreSQL's regression scripts and builds their C library, into target/regression.

Debian and Ubuntu only: the sources come from the archive's source package (25 MB), the headers from postgresql-server-dev-MAJOR,
which is unpacked and not installed. Nothing outside of target/ is changed. Needs network, gcc, and dpkg's tools. After it,
`cargo test --test main regression_database` runs; without it that test says that it was skipped. MAJOR is 15 if not given.
HELP
    exit 0 ;;
esac

major=${1:-15}
out=$PWD/target/regression
apt=$PWD/target/regression-apt
say() { printf 'regression: %s\n' "$*" >&2; }
for tool in apt-get dpkg-deb gcc tar; do
  command -v "$tool" >/dev/null || { say "needs $tool"; exit 1; }
done
server=$(dpkg-query -W -f '${Version}' "postgresql-$major") || { say "postgresql-$major is not installed"; exit 1; }

rm -rf "$out" "$apt"
mkdir -p "$apt"/{lists/partial,cache/archives/partial,source,headers}
# Source packages are rarely configured: the same archives as those of the binary packages, in lists of our own.
. /etc/os-release
case $ID in
  debian) cat >"$apt/sources.list" <<LIST ;;
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $VERSION_CODENAME main
deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security $VERSION_CODENAME-security main
LIST
  ubuntu) cat >"$apt/sources.list" <<LIST ;;
deb-src [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] http://archive.ubuntu.com/ubuntu $VERSION_CODENAME main universe
deb-src [signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg] http://security.ubuntu.com/ubuntu $VERSION_CODENAME-security main universe
LIST
  *) say "knows Debian and Ubuntu, this is $ID"; exit 1 ;;
esac
own=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$apt/lists"
     -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root -qq)
say "fetching the source package of PostgreSQL $major"
apt-get "${own[@]}" update
# The server's version, or the newest that the archive still has: its scripts differ by a few bugs only.
version=$server
(cd "$apt/source" && { apt-get "${own[@]}" source --download-only "postgresql-$major=$version" ||
  apt-get "${own[@]}" source --download-only "postgresql-$major/$VERSION_CODENAME"; })
say "fetching the headers"
(cd "$apt/headers" && apt-get -o APT::Sandbox::User=root -qq download "postgresql-server-dev-$major=$server" &&
  dpkg-deb -x ./*.deb .)

tar xf "$apt"/source/*.orig.tar.* -C "$apt/source" --strip-components=1 --wildcards '*/src/test/regress/*'
regress=$apt/source/src/test/regress
mkdir -p "$out"
cp -r "$regress"/{data,sql,parallel_schedule} "$out"
gcc -O1 -w -fPIC -shared -I "$apt/headers/usr/include/postgresql/$major/server" -o "$out/regress.so" "$regress/regress.c"
rm -rf "$apt"
say "ready: cargo test --test main regression_database"

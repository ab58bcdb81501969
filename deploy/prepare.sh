#!/bin/sh
# Makes this checkout ready: virtual environment, both Rust extensions in release, Debian packages where a command needs them.
#   deploy/prepare.sh EXTRAS [DEBIAN-PACKAGE:COMMAND ...]
# Idempotent; stops with one sentence when something cannot be had.
set -eu
cd "$(dirname "$0")/.."
extras=$1
shift

stop() { printf 'whymesh: %s\n' "$*" >&2; exit 1; }
say() { if [ -t 2 ]; then printf "\033[1m%s\033[0m\n" "$*" >&2; else printf "%s\n" "$*" >&2; fi; }

python=${PYTHON:-python3}
command -v "$python" >/dev/null || stop "Python is missing: install Python 3.11 or newer, or name one with PYTHON=…"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    stop "$($python --version) is too old: Python 3.11 or newer is needed; name one with PYTHON=…"
command -v cargo >/dev/null || stop "cargo is missing: the data plane is Rust; install a toolchain (https://rustup.rs), 1.90 or newer"

missing=""
for need in "$@"; do
    command -v "${need#*:}" >/dev/null || missing="$missing ${need%%:*}"
done
if [ -n "$missing" ]; then
    say "Installing Debian packages:$missing"
    root=""
    [ "$(id -u)" -eq 0 ] || root=sudo
    command -v apt-get >/dev/null || stop "these programs are missing and there is no apt-get to install them:$missing"
    $root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        stop "Debian packages could not be installed:$missing (network? permissions?)"
fi

if [ ! -x .venv/bin/python ]; then
    say "Creating .venv"
    "$python" -m venv .venv || stop "no virtual environment could be made in .venv (Debian: apt-get install python3-venv)"
fi

stamp=.venv/.prepared-$extras # one for each, so that switching between commands installs nothing again
wanted="$(cat pyproject.toml Cargo.toml Cargo.lock $(find proxy/engine collector/columnar -name '*.rs' -o -name Cargo.toml | sort) | cksum)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || [ ! -e proxy/_engine.abi3.so ] || [ ! -e collector/_columnar.abi3.so ]; then
    say "Installing Python packages and building the Rust extensions (some minutes the first time)"
    # setuptools warns of folders named like packages; here they are the packages
    PYTHONWARNINGS=ignore::UserWarning .venv/bin/python -m pip install --quiet --disable-pip-version-check -e ".[$extras]" ||
        stop "installation failed; the lines above say why (no network? PyPI and crates.io must be reachable)"
    printf '%s' "$wanted" >"$stamp"
fi

#!/usr/bin/env bash
# Unpacks Debian packages into a folder without installing them: debian-tools.sh folder package ...
# Elsewhere than on Debian it does nothing: the tests then look for the programs on PATH and say which are missing.
set -euo pipefail
folder=$1; shift
mkdir -p "$folder"
command -v apt-get >/dev/null || exit 0
cd "$folder"
apt-get download -qq "$@" 2>/dev/null || { apt-get update -qq && apt-get download -qq "$@"; }
for package in *.deb; do dpkg -x "$package" .; done
rm -f ./*.deb

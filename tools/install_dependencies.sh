#!/usr/bin/env bash
# Installs the Debian packages that the build, the tests and the demo need, as far as they are missing.
set -euo pipefail

packages=(libgtest-dev libfmt-dev libcli11-dev libsimdjson-dev nlohmann-json3-dev zlib1g-dev libxxhash-dev
          libjpeg62-turbo-dev libpng-dev libmimalloc-dev libprotozero-dev robin-map-dev
          dataset-fashion-mnist ca-certificates)
# Tools may also come from elsewhere; the package is only taken where the command is missing.
declare -A tools=([g++]=g++ [cmake]=cmake [ninja]=ninja-build [ccache]=ccache)
for extra in "$@"; do
  case $extra in
    lint) packages+=(clang-format-14 clang-tidy-14) ;;
    coverage) packages+=(gcovr) ;;
    fuzz) packages+=(clang-14 libclang-rt-14-dev) ;;
    test) tools+=([chromium]=chromium) ;;  # the HTML report is looked at in a browser
    *) echo "install_dependencies.sh: unknown group '$extra'" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
for tool in "${!tools[@]}"; do
  command -v "$tool" >/dev/null || missing+=("${tools[$tool]}")
done
# Debian's python3 comes without the part of venv that makes pip.
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "Installing ${missing[*]}"
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"

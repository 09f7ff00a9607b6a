#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds the real Ollama that the real tests run, from its Go module, into FOLDER/ollama. Takes minutes, once: what is
# there already in the wanted version is kept, and Go caches what it compiled. 0.24.0 is the last release whose one
# binary answers prompts by itself. An engine for tests, not for production.
#
# A Go module leaves out folders named `vendor`, and with them three header libraries of llama.cpp. nlohmann-json3-dev
# and libstb-dev have two of them (.ci/run installs them); the third lies in another Go module.
set -euo pipefail

version=0.24.0
headers=github.com/gen2brain/malgo@v0.11.24
folder=${1:?usage: engine.sh FOLDER}

missing() {
    echo "The real Ollama cannot be built: $1" >&2
    exit 1
}

mkdir -p "$folder/include/miniaudio"
folder=$(cd "$folder" && pwd)
if [ "$("$folder/ollama" --version 2>/dev/null | grep -o '[0-9.]*$' | tail -1)" = "$version" ]; then
    exit 0
fi
command -v go >/dev/null || missing "there is no go (1.21 or newer; it fetches the one that Ollama wants)."
command -v g++ >/dev/null || missing "there is no g++."
for header in nlohmann/json_fwd.hpp stb/stb_image.h; do
    echo "#include <$header>" | g++ -x c++ -fsyntax-only - 2>/dev/null ||
        missing "<$header> is not installed (Debian: nlohmann-json3-dev, libstb-dev)."
done

echo "Building Ollama $version (some minutes) ..."
source=$(go mod download -json "$headers" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
install -m 644 "$source/miniaudio.h" "$folder/include/miniaudio/miniaudio.h"
CGO_ENABLED=1 CGO_CPPFLAGS="-I$folder/include" GOBIN="$folder" go install \
    -ldflags "-X=github.com/ollama/ollama/version.Version=$version" "github.com/ollama/ollama@v$version"
echo "$folder/ollama is Ollama $version."

#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds the Docker Compose that the real tests run, from its Go module, into FOLDER/docker-compose. Takes minutes, once.
# Of its own line of versions the last one that speaks to the docker daemon of Debian 12.
set -euo pipefail

version=2.40.3
folder=${1:?usage: docker-compose.sh FOLDER}

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if [ "$("$folder/docker-compose" version --short 2>/dev/null)" = "$version" ]; then
    exit 0
fi
command -v go >/dev/null || { echo "Docker Compose cannot be built: there is no go (1.24 or newer)." >&2; exit 1; }
echo "Building Docker Compose $version (some minutes) ..."
source=$(go mod download -json "github.com/docker/compose/v2@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
CGO_ENABLED=0 go -C "$source" build -mod=readonly -trimpath -o "$folder/docker-compose" \
    -ldflags "-s -w -X github.com/docker/compose/v2/internal.Version=v$version" ./cmd

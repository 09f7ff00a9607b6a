#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds what the gates of an image run in the real tests, from Go modules, into FOLDER: trivy, cosign, and trivydb, which
# writes a small database for Trivy. Takes minutes, once: what is there already in the wanted version is kept, and Go
# caches what it compiled. hadolint comes with the requirements.
set -euo pipefail

trivy=0.74.0
cosign=3.1.3
folder=${1:?usage: scanners.sh FOLDER}
own=$(cd "$(dirname "$0")/trivydb" && pwd)

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
export CGO_ENABLED=0

says() { # says PROGRAM VERSION ARGUMENT...: the program is there, in that version
    local program=$1 version=$2
    shift 2
    [ -x "$folder/$program" ] && "$folder/$program" "$@" 2>/dev/null | grep -q "$version\$"
}

build() { # build MODULE VERSION PACKAGE PROGRAM OPTION...: in the module itself, whose go.sum then pins all that it needs
    local module=$1 version=$2 package=$3 program=$4 source
    shift 4
    command -v go >/dev/null || { echo "$program cannot be built: there is no go (1.26 or newer)." >&2; exit 1; }
    echo "Building $program $version (some minutes) ..."
    source=$(go mod download -json "$module@v$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    go -C "$source" build -mod=readonly -trimpath "$@" -o "$folder/$program" "$package"
}

# Its own releases are built with that experiment; without it, it does not compile.
says trivy "$trivy" --version || GOEXPERIMENT=jsonv2 build github.com/aquasecurity/trivy "$trivy" ./cmd/trivy trivy \
    -ldflags "-s -w -X github.com/aquasecurity/trivy/pkg/version/app.ver=$trivy"
says cosign "v$cosign" version || build github.com/sigstore/cosign/v3 "$cosign" ./cmd/cosign cosign \
    -ldflags "-s -w -X sigs.k8s.io/release-utils/version.gitVersion=v$cosign"
[ -x "$folder/trivydb" ] && [ "$folder/trivydb" -nt "$own/main.go" ] || go -C "$own" build -o "$folder/trivydb" .

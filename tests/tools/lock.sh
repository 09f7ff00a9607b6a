#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Resolves requirements/*.in into the lock files, one for every platform and Python, with hashes and without addresses.
# The sidecar's too, for its image. dev is resolved first and constrains the others, so that a package has one
# version in all of them.
set -euo pipefail
cd "$(dirname "$0")/../../requirements"
sidecar=../roles/image/files/sidecar

lock() { # lock NAME [OPTION...]
    local name="$1"
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --prerelease if-necessary-or-explicit "$@" "$name.in" -o "$name.new"
    {
        # REUSE-IgnoreStart
        printf '%s\n' '# Copyright (c) 2026 polycloud.ollama contributors' \
            '# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)' \
            '# SPDX-License-Identifier: GPL-3.0-or-later' '' "# Written by \`make lock\` from $name.in; do not edit."
        # REUSE-IgnoreEnd
        cat "$name.new"
    } >"$name.txt"
    rm "$name.new"
}

lock dev "$@"
lock demo --constraint dev.txt
lock runtime --constraint dev.txt
lock uv
lock litellm
(cd "$sidecar" && lock requirements --constraint "$OLDPWD/dev.txt")
if grep -nE '://|--(extra-)?index-url|--find-links' -- *.txt "$sidecar/requirements.txt" | grep -v 'www.gnu.org/licenses'; then
    echo "a lock file names an address" >&2
    exit 1
fi

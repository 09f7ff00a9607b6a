#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Usage: types.sh PATH... Plugins are checked under the collection's own name, the only one their relative imports know.
set -euo pipefail
collection=".build/ansible_collections/polycloud/ollama"
paths=()
for path in "$@"; do
    case "$path" in plugins/*) paths+=("$collection/$path") ;; *) paths+=("$path") ;; esac
done
exec mypy --cache-dir .mypy_cache "${paths[@]}"

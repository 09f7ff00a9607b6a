#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Usage: sanity.sh [OPTION...] Runs ansible-test sanity in the staged copy with the environment's Python.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/tools/prime-ansible-test.sh
if compgen -G 'tests/sanity/ignore-*.txt' >/dev/null; then
    echo "there is an ignore file for ansible-test sanity; this collection has none" >&2
    exit 1
fi
version="$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
cd .build/staged/ansible_collections/polycloud/ollama
# It makes its own environments and finds collections by itself; our settings would only confuse it.
unset ANSIBLE_CONFIG ANSIBLE_COLLECTIONS_PATH PYTHONPATH
exec ansible-test sanity --venv --python "$version" --color no "$@"

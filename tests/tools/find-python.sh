#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Prints the path of a usable Python, the best first: 3.12, 3.13, 3.14, 3.11. An argument names one: 3.11, or a path.
# Candidates are run, because a pyenv shim exists also for versions that are not active.
set -euo pipefail

usable() { # usable COMMAND VERSION: prints the real path when COMMAND is that Python and can make environments
    "$1" -c "import sys, ssl, venv, ensurepip
v = '%d.%d' % sys.version_info[:2]
sys.exit(0 if v == '$2' and not print(sys.executable) else 1)" 2>/dev/null
}

candidates() { # candidates VERSION
    printf '%s\n' "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1"[.-]*/bin/python "/usr/local/bin/python$1" \
        "/opt/python$1/bin/python$1" python3 python
}

search() { # search VERSION...
    local version candidate
    for version in "$@"; do
        while read -r candidate; do
            usable "$candidate" "$version" && return 0
        done < <(candidates "$version")
    done
    return 1
}

wanted="${1:-}"
case "$wanted" in
    "") search 3.12 3.13 3.14 3.11 && exit 0 ;;
    3.1[1-9]) search "$wanted" && exit 0 ;;
    *) for version in 3.11 3.12 3.13 3.14; do usable "$wanted" "$version" && exit 0; done ;;
esac
echo "No usable Python ${wanted:-3.11 or later} found (it needs the venv and ensurepip modules). Name one: make setup PYTHON=/path/to/python" >&2
exit 1

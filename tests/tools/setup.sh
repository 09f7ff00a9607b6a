#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Usage: setup.sh demo|dev|litellm [VENV]. Makes the environment, installs the lock file with checked hashes, links the
# checkout where Ansible finds it. A second run finds its stamp and takes a fraction of a second.
set -euo pipefail
cd "$(dirname "$0")/../.."

tier="$1"
venv="${2:-.venv}"
case "$tier" in demo | dev | litellm) ;; *) echo "unknown set of requirements: $tier (demo, dev or litellm)" >&2; exit 2 ;; esac
uv_in_venv="$(cd "$(dirname "$venv")" && pwd)/$(basename "$venv")/bin/uv"
python="$venv/bin/python"

link_checkout() { # a relative link, so that the checkout can be moved
    local link=".build/ansible_collections/polycloud/ollama"
    mkdir -p "$(dirname "$link")"
    [ "$(readlink "$link" || echo none)" = ../../.. ] || ln -sfn ../../.. "$link"
}

stamp_of() { sha256sum "requirements/$1.txt" | cut -d' ' -f1; }
is_installed() { [ -x "$python" ] && [ "$(cat "$venv/.installed-$1" 2>/dev/null || echo none)" = "$(stamp_of "$1")" ]; }

wrong_python() { # the user names a Python, and the environment has another
    [ -n "${PYTHON:-}" ] && [ -x "$python" ] || return 1
    local version='import sys; print(sys.version_info[:3])'
    [ "$("$(tests/tools/find-python.sh "$PYTHON")" -c "$version")" != "$("$python" -c "$version")" ]
}

find_uv() { # prints a uv that works; one is put into the environment when there is none
    if uv --version >/dev/null 2>&1; then
        echo uv
    elif "$uv_in_venv" --version >/dev/null 2>&1; then
        echo "$uv_in_venv"
    elif "$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt >&2; then
        echo "$uv_in_venv"
    fi
}

make_venv() {
    if wrong_python; then
        echo "The environment $venv has another Python than $PYTHON: making it anew."
        rm -rf "$venv"
    fi
    [ -x "$python" ] || "$(tests/tools/find-python.sh "${PYTHON:-}")" -m venv "$venv"
}

install() {
    local uv
    uv="$(find_uv)"
    echo "Installing requirements/$tier.txt into $venv with ${uv:-pip} ..."
    if [ -n "$uv" ]; then
        "$uv" pip install --quiet --python "$python" --require-hashes -r "requirements/$tier.txt"
    else
        "$python" -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r "requirements/$tier.txt"
    fi
    stamp_of "$tier" >"$venv/.installed-$tier"
}

link_checkout
if ! wrong_python && { is_installed "$tier" || { [ "$tier" = demo ] && is_installed dev; }; }; then
    exit 0
fi
start=$SECONDS
make_venv
install
echo "Environment ready in $((SECONDS - start)) s."

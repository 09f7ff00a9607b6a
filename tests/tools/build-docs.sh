#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Builds the HTML documentation of plugins and roles into build/docs, without the network.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=build/docs-src
rm -rf "$work" build/docs
mkdir -p build
mkdir -m 700 "$work"
antsibull-docs sphinx-init --use-current --squash-hierarchy --dest-dir "$work" --lenient polycloud.ollama >"$work.log" 2>&1 \
    || { cat "$work.log" >&2; exit 1; }
# The inventories of other projects' manuals are on the net; links to them are left as text.
python - "$work/conf.py" <<'PYTHON'
import pathlib, re, sys
path = pathlib.Path(sys.argv[1])
text, count = re.subn(r"intersphinx_mapping = \{.*?^\}", "intersphinx_mapping = {}", path.read_text(), flags=re.S | re.M)
assert count == 1, "sphinx-init writes conf.py in another form now: mend build-docs.sh"
path.write_text(text)
PYTHON
antsibull-docs --config-file "$work/antsibull-docs.cfg" collection --use-current --squash-hierarchy --fail-on-error --cleanup similar-files \
    --dest-dir "$work/rst" polycloud.ollama
sphinx-build -q -b html -j auto "$work/rst" build/docs -c "$work" 2>"$work.log" || { cat "$work.log" >&2; exit 1; }
# Undefined labels are the links into other manuals; anything else is ours.
if grep -E 'WARNING|ERROR' "$work.log" | grep -vE 'undefined label|intersphinx'; then
    exit 1
fi
[ -s build/docs/index.html ] || { echo "no documentation was written" >&2; exit 1; }
echo "build/docs/index.html"

#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Runs galaxy-importer on the tarball in build/dist, in a folder of its own. It starts ansible-lint, which must find the
# installed collections; the parts that need containers stay off (sanity is a gate of its own).
set -euo pipefail
cd "$(dirname "$0")/../.."

tarball="$(ls build/dist/*.tar.gz)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cat >"$work/galaxy-importer.cfg" <<CONFIG
[galaxy-importer]
LOG_LEVEL_MAIN = INFO
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = False
RUN_ANSIBLE_TEST = False
RUN_FLAKE8 = False
CHECK_REQUIRED_TAGS = False
CHECK_CHANGELOG = True
CONFIG
size="$(stat -c %s "$tarball")"
if [ "$size" -gt 20000000 ]; then
    echo "$tarball has $size bytes; the galaxy takes 20 MB" >&2
    exit 1
fi
site_packages="$(python -m tests.tools.stage --site-packages)"
tarball="$(pwd)/$tarball"
cd "$work"
unset ANSIBLE_CONFIG
log="$work/importer.log"
GALAXY_IMPORTER_CONFIG="$work/galaxy-importer.cfg" ANSIBLE_COLLECTIONS_PATH="$site_packages" \
    python -m galaxy_importer.main "$tarball" 2>&1 | tee "$log"
grep -q 'Importer processing completed successfully' "$log" || { echo "galaxy-importer did not end well" >&2; exit 1; }
if grep -E '^(WARNING|ERROR):' "$log"; then
    echo "galaxy-importer warns: mend the above" >&2
    exit 1
fi

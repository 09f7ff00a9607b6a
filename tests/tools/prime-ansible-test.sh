#!/usr/bin/env bash
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ansible-test fetches its pip bootstrap script from one host of the Ansible project, which many build machines cannot
# reach. It looks into a cache first: this puts there a script that does the same with the wheel of the pip version
# that ansible-test names, fetched from the package index like every other requirement.
set -euo pipefail

version="$(python - <<'PYTHON'
import pathlib, re, ansible_test._internal as internal
source = (pathlib.Path(internal.__file__).parent / "python_requirements.py").read_text()
print(re.search(r"pip='([0-9.]+)'", source).group(1))
PYTHON
)"
cache="$HOME/.ansible/test/cache"
script="$cache/get_pip_${version//./_}.py"
wheel="$cache/pip-$version-py3-none-any.whl"
if [ -s "$script" ]; then
    exit 0
fi
mkdir -p "$cache"
python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$cache" "pip==$version"
cat >"$script.new" <<PYTHON
import sys
sys.path.insert(0, "$wheel")
from pip._internal.cli.main import main
options = [option for option in sys.argv[1:] if option not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", *options, "$wheel"]))
PYTHON
mv "$script.new" "$script"

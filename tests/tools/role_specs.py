# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the meta/argument_specs.yml of roles from what the modules accept: `python -m tests.tools.role_specs`.

The options come from the argument specs in module_utils, their descriptions from the doc fragment and the modules. What
belongs to a role alone is in role_specs_own.yml. A test fails where a written file is not what this makes.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import yaml

from tests.helpers.tree import ROOT, documentation, fragment

OWN = ROOT / "tests" / "tools" / "role_specs_own.yml"
UTILS = "ansible_collections.polycloud.ollama.plugins.module_utils"
PLATFORMS = {"ecs": "ecs_deployment", "aci": "aci_deployment", "container_apps": "container_app_deployment"}
# Variable, its module, where the argument spec is, and the options that the role gives by itself or not at all.
STORAGE = (
    ("efs", "efs_storage", "efs.translate", ("tags", "delete_data")),
    ("azure_files", "azure_files_storage", "azure_files.options", ("tags", "delete_data", "return_key")),
)
REQUIRED = ("name", "image", "models")
NOT_A_VARIABLE = ("state",)
KEYS = ("type", "elements", "required", "choices", "default", "no_log")
HEADER = """---
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/role_specs.py from what the modules accept; change it there, or in role_specs_own.yml.
"""
Spec = dict[str, dict[str, Any]]


class Indented(yaml.SafeDumper):
    """Writes lists inside of their key, as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Never leave the indentation of a list out."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write what two entry points share twice, so that each can be read alone."""
        return True


def role_options(spec: Spec, docs: dict[str, Any], *, platform: str = "", others: str = "ollama_") -> dict[str, Any]:
    """Turn an argument spec into options of a role; descriptions that name module options name variables instead.

    platform: the variable that stands for the option `platform`. others: what the names of other options begin with.
    """
    return {name: _option(entry, docs.get(name, {}), platform, others) for name, entry in spec.items()}


def _option(entry: dict[str, Any], docs: dict[str, Any], platform: str, others: str) -> dict[str, Any]:
    option: dict[str, Any] = {"description": _variables(docs.get("description", []), platform, others)}
    option |= {
        key: entry[key] for key in KEYS if entry.get(key) not in (None, False) or (key == "default" and key in entry)
    }
    if "options" in entry:
        option["options"] = role_options(entry["options"], docs.get("suboptions", {}), platform=platform, others=others)
    return option


def _variables(text: Any, platform: str, others: str) -> Any:
    """Name variables instead of module options: O(resources.gpu) is C(ollama_resources.gpu) to the user of a role."""
    if isinstance(text, list):
        return [_variables(line, platform, others) for line in text]
    return re.sub(r"O\((?!polycloud)", f"C({others}", re.sub(r"O\(platform(?=[.)])", f"C({platform}", text))


def deployment_variables() -> dict[str, Any]:
    """Return the variables that stand for the shared options of a deployment."""
    options = importlib.import_module(f"{UTILS}.deployment.options")
    docs = fragment("polycloud.ollama.deployment")["options"]
    spec = {**options.DEPLOYMENT_OPTIONS, **options.RUN_OPTIONS}
    shared = {name: entry for name, entry in spec.items() if name not in NOT_A_VARIABLE}
    variables = role_options(shared, docs, platform="ollama_<platform>")
    for name in REQUIRED:
        variables[name]["required"] = True
    return {f"ollama_{name}": _without_default(option) for name, option in variables.items()}


def platform_variables() -> dict[str, Any]:
    """Return one variable for the `platform` option of each deployment module."""
    found = {}
    for platform, module in PLATFORMS.items():
        spec = importlib.import_module(f"{UTILS}.{platform}.options").PLATFORM_OPTIONS
        docs = documentation(module)["options"]["platform"]
        found[f"ollama_{platform}"] = {
            "description": f"Where and how the deployment runs on C({platform}). Required on targets of that platform.",
            "type": "dict",
            "options": role_options(spec, docs["suboptions"], platform=f"ollama_{platform}"),
        }
    return found


def storage_variables() -> dict[str, Any]:
    """Return one variable for the options of each storage module."""
    found: dict[str, Any] = {}
    for name, module, place, left_out in STORAGE:
        spec = importlib.import_module(f"{UTILS}.{place}").STORAGE_OPTIONS
        given = {option: entry for option, entry in spec.items() if option not in left_out}
        found[f"ollama_{name}"] = {
            "description": f"Options of M(polycloud.ollama.{module}) for the volume that the role makes.",
            "type": "dict",
            "options": role_options(given, documentation(module)["options"], others=f"ollama_{name}."),
        }
    # What the role takes from the block of the platform where it is not given.
    found["ollama_azure_files"]["options"]["resource_group"].pop("required")
    return found


def _without_default(option: dict[str, Any]) -> dict[str, Any]:
    """Leave out the default of a variable itself: it stays unset, so that the module's own default holds."""
    return {key: value for key, value in option.items() if key != "default"}


def specs() -> dict[str, Any]:
    """Return the content of the files by role."""
    own: dict[str, Any] = yaml.safe_load(OWN.read_text(encoding="utf-8"))
    own["common"]["deployment"]["options"] |= {**deployment_variables(), **platform_variables()}
    own["storage"]["main"]["options"] |= storage_variables()
    every_image = own.pop("every_image")
    for entry in ("main", "sidecar"):
        own["image"][entry]["options"] |= every_image
    return own


def files() -> dict[Path, str]:
    """Return the files as text."""
    return {ROOT / "roles" / role / "meta" / "argument_specs.yml": _text(entries) for role, entries in specs().items()}


def _text(entries: dict[str, Any]) -> str:
    body = {"argument_specs": entries}
    return HEADER + yaml.dump(body, Dumper=Indented, sort_keys=False, width=120, allow_unicode=True)


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

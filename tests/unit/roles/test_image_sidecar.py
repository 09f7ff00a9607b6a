# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the sidecar before it is built: Dockerfile, tag, how its packages are installed, what is refused.

UPDATE_GOLDEN=1 writes the golden file anew. tests/real/test_sidecar_image.py builds and runs it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ollama_sidecar import app, livez

from tests.helpers.playbooks import run_playbook
from tests.helpers.scanners import hadolint
from tests.helpers.tree import ROOT, load

GOLDEN = ROOT / "tests" / "golden" / "image" / "sidecar.Dockerfile"
SIDECAR = ROOT / "roles" / "image" / "files" / "sidecar"
A, B = ("sha256:" + letter * 64 for letter in "ab")
GIVEN: dict[str, Any] = {
    "image_kind": "sidecar",
    "image_sidecar_repository": "registry.example.org/team/sidecar",
    "image_sidecar_base": f"docker.io/library/python:3.12-slim@{A}",
    "image_labels": {"org.opencontainers.image.vendor": 'A "quoted" $HOME'},
}
CASES: dict[str, dict[str, Any]] = {
    "sidecar": GIVEN,
    "base": GIVEN | {"image_sidecar_base": f"docker.io/library/python:3.12-slim@{B}"},
    "python": GIVEN | {"image_sidecar_python": "3.11"},
    "arm64": GIVEN | {"image_sidecar_architecture": "arm64"},
    "elsewhere": GIVEN | {"image_sidecar_repository": "registry.example.org/other/sidecar", "image_models": ["no"]},
}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"image_sidecar_python": "3.10"}, "3.11 or newer"),
    ({"image_sidecar_python": "3"}, "must be the Python of image_sidecar_base"),
    ({"image_sidecar_python": "3.12.1"}, "must be the Python of image_sidecar_base"),
    ({"image_sidecar_base": "docker.io/library/python:3.12-slim"}, "image_sidecar_base docker.io/library/python"),
    ({"image_sidecar_repository": "registry.example.org/Team"}, "image_sidecar_repository registry.example.org/Team"),
    ({"image_labels": {"polycloud.ollama.inputs": "x"}}, "not begin with polycloud.ollama"),
]
TOLD = "{'dockerfile': image_dockerfile, 'tag': image_tag, 'inputs': image_inputs, 'install': image_sidecar_install}"


def role(entry: str, variables: dict[str, Any], folder: Path) -> dict[str, Any]:
    # Public: what the role would do with the variables is asked of it afterwards.
    include = {"name": "polycloud.ollama.image", "tasks_from": entry, "public": True}
    return {"ansible.builtin.include_role": include, "vars": {**variables, "image_work_folder": str(folder)}}


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the role says of each case: dockerfile, tag, inputs, install; and of each refusal, what it says."""
    folder = tmp_path_factory.mktemp("sidecar")
    tasks: list[dict[str, Any]] = []
    for name, variables in CASES.items():
        content = "{{ " + TOLD + " | to_json }}"
        copy = {"content": content, "dest": f"{folder}/{name}.json", "mode": "0644"}
        given = {**variables, "image_work_folder": str(folder), "role_path": str(ROOT / "roles" / "image")}
        tasks += [role("describe", variables, folder), {"ansible.builtin.copy": copy, "vars": given}]
    for number, (change, _told) in enumerate(REFUSED):
        items = "ansible_failed_result.get('results', [ansible_failed_result]) | selectattr('failed', 'true')"
        copy = {"content": f"{{{{ {items} | map(attribute='msg') | first }}}}", "dest": f"{folder}/refused-{number}"}
        rescue = [{"ansible.builtin.copy": {**copy, "mode": "0644"}}]
        tasks.append({"block": [role("check", GIVEN | change, folder)], "rescue": rescue})
    run = run_playbook(folder, [role("check", GIVEN, folder), *tasks])
    assert run.rc == 0, run.stdout + str(run.stderr)
    refusals = {path.name: {"told": path.read_text()} for path in folder.glob("refused-*")}
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in CASES} | refusals


def test_the_dockerfile_is_as_recorded(described: dict[str, dict[str, Any]]) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(described["sidecar"]["dockerfile"])
    assert described["sidecar"]["dockerfile"] == GOLDEN.read_text(encoding="utf-8")


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [hadolint(), "--failure-threshold=style", str(GOLDEN)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_in_it_needs_a_shell_root_or_an_index() -> None:
    text = GOLDEN.read_text(encoding="utf-8")
    run = re.findall(r"(?m)^(?:RUN|CMD|ENTRYPOINT|HEALTHCHECK .* CMD) (.*)", text)
    assert len(run) == 4
    assert all(json.loads(command) for command in run)
    assert re.findall(r"(?m)^USER (.*)", text)[-1] == "10001:10001"
    assert "pip" not in text


def test_the_tag_is_the_version_the_python_and_what_goes_in(described: dict[str, dict[str, Any]]) -> None:
    found = described["sidecar"]
    assert re.fullmatch(rf"{re.escape(app.VERSION)}-python3\.12-[0-9a-f]{{12}}", found["tag"])
    assert found["inputs"].startswith(found["tag"][-12:])
    assert described["elsewhere"]["inputs"] == found["inputs"]


@pytest.mark.parametrize("case", ["base", "python", "arm64"])
def test_other_inputs_give_another_tag(case: str, described: dict[str, dict[str, Any]]) -> None:
    assert described[case]["tag"] != described["sidecar"]["tag"]


def test_a_changed_line_of_the_sidecar_gives_another_tag(tmp_path: Path) -> None:
    tags = []
    for number, text in enumerate(["VERSION = '1'\n", "VERSION = '1'\n", "VERSION = '1'  # other\n"]):
        place = tmp_path / str(number) / "sidecar"
        (place / "ollama_sidecar" / "__pycache__").mkdir(parents=True)
        (place / "ollama_sidecar" / "app.py").write_text(text.replace("'", '"'))
        (place / "ollama_sidecar" / "__pycache__" / f"app.{number}.pyc").write_text(str(number))
        tags.append(place)
    tasks: list[dict[str, Any]] = []
    for place in tags:
        # Where the role looks for its own files is no option: only a test gives another place.
        variables = GIVEN | {"image_sidecar_files": str(place)}
        copy = {"content": "{{ image_inputs }}", "dest": f"{place}/inputs", "mode": "0644"}
        tasks += [role("describe", variables, tmp_path), {"ansible.builtin.copy": copy}]
    run = run_playbook(tmp_path, tasks)
    assert run.rc == 0, run.stdout + str(run.stderr)
    first, same, other = ((place / "inputs").read_text() for place in tags)
    assert first == same != other


def test_wheels_are_installed_by_hash_for_the_python_of_the_base(described: dict[str, dict[str, Any]]) -> None:
    command = described["arm64"]["install"]
    assert command[1:3] == ["-m", "pip"]
    assert {"--require-hashes", "--only-binary=:all:", "--no-deps", "--no-compile", "--implementation=cp"} <= {*command}
    assert "--python-version=3.12" in command
    assert [part for part in command if part.startswith("--platform=")] == [
        "--platform=manylinux_2_28_aarch64",
        "--platform=manylinux_2_17_aarch64",
        "--platform=manylinux2014_aarch64",
    ]


def test_no_package_depends_on_the_python_that_pip_runs_on() -> None:
    lines = (SIDECAR / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line for line in lines if "==" in line]
    assert pinned
    assert [line for line in pinned if ";" in line] == []


@pytest.mark.parametrize(("number", "told"), [(number, told) for number, (_change, told) in enumerate(REFUSED)])
def test_what_cannot_be_built_is_refused_before_anything_is(
    described: dict[str, dict[str, Any]], number: int, told: str
) -> None:
    assert told in described[f"refused-{number}"]["told"]


def test_the_defaults_are_those_of_the_specification() -> None:
    options = load("roles/image/meta/argument_specs.yml")["argument_specs"]["sidecar"]["options"]
    defaults = load("roles/image/defaults/main.yml")
    written = {name: option["default"] for name, option in options.items() if "default" in option}
    assert {name: defaults[name] for name in written} == written


def prepare(root: Path, *, python: str = "", machine: str = "") -> subprocess.CompletedProcess[str]:
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    given = [python or found, machine or platform.machine(), str(root), "/opt/sidecar"]
    command = [sys.executable, str(SIDECAR / "prepare.py"), *given]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def packages(root: Path, program: str = "") -> Path:
    folder = root / "opt" / "sidecar"
    (folder / "ollama_sidecar" / "http").mkdir(parents=True)
    for name in ("ollama_sidecar/__init__.py", "ollama_sidecar/http/__init__.py", "ollama_sidecar/http/server.py"):
        (folder / name).write_text("")
    (folder / "ollama_sidecar" / "http" / "server.py").write_text(program)
    return root


def test_packages_are_compiled_for_good_with_the_same_times(tmp_path: Path) -> None:
    root = packages(tmp_path / "image", "def f(): ...")
    done = prepare(root)
    assert (done.returncode, done.stderr) == (0, "")
    compiled = list(root.rglob("*.pyc"))
    assert len(compiled) == 3
    # Bytes 4 to 7 are the flags of PEP 552: 1 is a hash, 2 that it is checked.
    assert {path.read_bytes()[4] for path in compiled} == {1}
    assert {path.stat().st_mtime for path in (root, *root.rglob("*"))} == {0}
    # Tracebacks name the files where they are in the image.
    code = next(path for path in compiled if "server" in path.name).read_bytes()
    assert b"/opt/sidecar/ollama_sidecar/http/server.py" in code
    assert str(root).encode() not in code


def test_another_python_than_was_said_ends_the_build(tmp_path: Path) -> None:
    done = prepare(packages(tmp_path / "image"), python="3.99")
    assert done.returncode == 1
    assert "image_sidecar_python is 3.99" in done.stderr


def test_another_processor_than_was_said_ends_the_build(tmp_path: Path) -> None:
    done = prepare(packages(tmp_path / "image"), machine="vax")
    assert done.returncode == 1
    assert "image_sidecar_architecture means vax" in done.stderr


def test_a_base_that_lacks_something_ends_the_build(tmp_path: Path) -> None:
    done = prepare(packages(tmp_path / "image", "import no_such_library"))
    assert done.returncode == 1
    assert "does not fit the packages: No module named 'no_such_library'" in done.stderr


def test_code_that_this_python_cannot_read_ends_the_build(tmp_path: Path) -> None:
    done = prepare(packages(tmp_path / "image", "def"))
    assert done.returncode == 1
    assert "cannot be compiled" in done.stderr


def test_the_ports_of_the_image_are_those_of_the_sidecar() -> None:
    found = re.findall(r"(?m)^EXPOSE (.*)", GOLDEN.read_text(encoding="utf-8"))
    settings = app.Settings()
    assert found == [" ".join(listen.rpartition(":")[2] for listen in (settings.listen, settings.metrics_listen))]
    assert {name: getattr(settings, name) for name in ("metrics_listen", "listen")} == livez.DEFAULTS

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The direct way to run a module: the plain local case only, and with the same result as Ansible's own way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import release

from ansible_collections.polycloud.ollama.plugins.plugin_utils import direct
from ansible_collections.polycloud.ollama.plugins.plugin_utils.progress import ProgressAction
from tests.helpers.engines import MODEL, Engines
from tests.helpers.playbooks import Run, run_playbook

SCRIPT = "run_module.py"
MISSING = "Failed to import the required Python library (botocore and boto3)"
PACKED = {"ANSIBLE_KEEP_REMOTE_FILES": "1"}
UNREACHABLE = {
    "region": "eu-west-9",
    "endpoint_url": "http://127.0.0.1:9",
    "aws_config": {"retries": {"max_attempts": 0}},
}
SERVICE = {"name": "chat", "image": "i:1", "models": [{"name": MODEL}], **UNREACHABLE}
PLATFORM = {"cluster": "c", "subnets": ["subnet-1"], "execution_role": "arn:aws:iam::123456789012:role/x"}


def probes(url: str, **more: Any) -> dict[str, Any]:
    """Three probes in one task, the second of which fails; their results go to the file `results`."""
    options = {"url": "{{ item }}", "model": MODEL, "timeout": 5, "interval": 0.1}
    urls = [url, "not a url", url]
    return {"polycloud.ollama.ollama_probe": options, "loop": urls, "register": "probe", "ignore_errors": True, **more}


def results(folder: Path, run: Run) -> list[dict[str, Any]]:
    """What the items of the task registered, without the times."""
    assert run.rc == 0, run.stdout
    items = json.loads((folder / "results").read_text())
    timed = {"events", "seconds", "tokens_per_second", "load_seconds", "answer_seconds"}
    return [{key: value for key, value in item.items() if key not in timed} for item in items]


def is_direct(run: Run) -> bool:
    """Whether a run at -vvv started modules directly."""
    return SCRIPT in run.stdout


@pytest.mark.parametrize("mode", [(), ("--check",)], ids=["apply", "check"])
def test_the_result_is_that_of_ansibles_own_way(engines: Engines, tmp_path: Path, mode: tuple[str, ...]) -> None:
    copy = {"content": "{{ probe.results | to_json }}", "dest": str(tmp_path / "results")}
    tasks = [probes(engines.url(gpu=False)), {"ansible.builtin.copy": copy, "check_mode": False}]
    fast = run_playbook(tmp_path, tasks, "-vvv", *mode)
    ours = results(tmp_path, fast)
    packed = run_playbook(tmp_path, tasks, "-vvv", *mode, env=PACKED)
    assert (is_direct(fast), is_direct(packed)) == (True, False)
    assert ours == results(tmp_path, packed)
    assert [item["failed"] for item in ours] == [False, True, False]


def test_a_module_gets_the_environment_of_its_task(tmp_path: Path) -> None:
    """Seen by a library that is broken in that environment only."""
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries" / "boto3.py").write_text("raise ImportError")
    task = {"polycloud.ollama.ecs_deployment": {**SERVICE, "platform": PLATFORM}}
    broken = run_playbook(tmp_path, [{**task, "environment": {"PYTHONPATH": str(tmp_path / "libraries")}}], "-vvv")
    assert is_direct(broken)
    assert broken.rc == 2
    assert MISSING in broken.stdout
    whole = run_playbook(tmp_path, [task], "-vvv")
    assert MISSING not in whole.stdout


def test_a_delegated_task_goes_ansibles_own_way(engines: Engines, tmp_path: Path) -> None:
    run = run_playbook(tmp_path, [probes(engines.url(), delegate_to="target")], "-vvv")
    assert run.rc == 0, run.stdout
    assert not is_direct(run)


def action(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> direct.DirectAction:
    """An action in the plain local case, but for the changes (`connection.become=True`)."""
    shell = SimpleNamespace(SHELL_FAMILY=changes.pop("shell", "sh"))
    connection = SimpleNamespace(transport=changes.pop("transport", "local"), become=changes.pop("become", None))
    connection._shell = shell
    task = SimpleNamespace(async_val=changes.pop("async_val", 0), delegate_to=changes.pop("delegate_to", None))
    monkeypatch.setattr(direct.constants, "DEFAULT_KEEP_REMOTE_FILES", changes.pop("keep", False))
    monkeypatch.setattr(release, "__version__", changes.pop("version", release.__version__))
    assert not changes
    made = object.__new__(ProgressAction)
    made._connection, made._task, made._templar = connection, task, SimpleNamespace(template=lambda value: value)
    return made


OWN = {"ansible_python_interpreter": sys.executable}


def test_the_plain_local_case_is_run_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert action(monkeypatch)._is_plain(OWN)


@pytest.mark.parametrize(
    "changes",
    [
        {"transport": "ssh"},
        {"shell": "powershell"},
        {"become": object()},
        {"async_val": 30},
        {"delegate_to": "other"},
        {"keep": True},
        {"version": "2.99.0"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_anything_else_goes_ansibles_own_way(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    assert not action(monkeypatch, **changes)._is_plain(OWN)


@pytest.mark.parametrize("variables", [{}, {"ansible_python_interpreter": "/opt/other/bin/python3"}])
def test_another_interpreter_goes_ansibles_own_way(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    assert not action(monkeypatch)._is_plain(variables)


def run_script(tmp_path: Path, source: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `source` as the module C(told) of a collection in C(wanted)."""
    package = tmp_path / "wanted" / "ansible_collections" / "polycloud" / "ollama"
    (package / "plugins").mkdir(parents=True)
    (package / "plugins" / "told.py").write_text(source)
    module = "ansible_collections.polycloud.ollama.plugins.told"
    script = Path(direct.__file__).with_name(SCRIPT)
    command = [sys.executable, "-P", str(script), module, str(tmp_path), f"polycloud.ollama={package}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_collection_is_taken_from_the_folder_that_ansible_takes(tmp_path: Path) -> None:
    """Another copy of it further in front on Python's search path is not looked at."""
    other = tmp_path / "other" / "ansible_collections" / "polycloud" / "ollama" / "plugins"
    other.mkdir(parents=True)
    (other / "told.py").write_text("print('other')")
    done = run_script(tmp_path, "print('wanted', __name__)", PYTHONPATH=str(tmp_path / "other"))
    assert (done.stdout, done.returncode) == ("wanted __main__\n", 0)


def test_a_module_ends_with_its_own_status_its_output_written_and_its_cleanup_done(tmp_path: Path) -> None:
    source = "import atexit, sys\natexit.register(print, 'cleaned')\nprint('answer')\nsys.exit(3)"
    done = run_script(tmp_path, source)
    assert (done.stdout, done.returncode) == ("answer\ncleaned\n", 3)


def test_a_module_that_crashes_leaves_its_traceback_and_a_status(tmp_path: Path) -> None:
    done = run_script(tmp_path, "raise RuntimeError('broken')")
    assert done.returncode == 1
    assert "RuntimeError: broken" in done.stderr

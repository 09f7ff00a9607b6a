# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress action plugin in real playbook runs: live, quiet where asked, and never in the way of the module."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.plugin_utils.progress import Tail, progress_line
from tests.helpers.engines import MODEL, Engines
from tests.helpers.modules import ROOT
from tests.helpers.playbooks import Run, run_playbook
from tests.helpers.tree import documentation, module_names

ACTIONS = sorted((ROOT / "plugins" / "action").glob("*.py"))
SLOW = {"POLYCLOUD_SANDBOX_SLOW_SECONDS": "1.5"}

# A connection that is not local by name, so that plugin and module cannot share a file as far as anyone knows.
FARAWAY = """
from __future__ import annotations
DOCUMENTATION = "name: faraway\\nshort_description: far away\\ndescription: [x]\\nauthor: x\\noptions: {}"
from ansible.plugins.connection.local import Connection as Local
class Connection(Local):
    transport = "faraway"
"""


def probe(url: str, **more: Any) -> dict[str, Any]:
    """A task that probes and keeps its result in `probe`."""
    options = {"url": url, "model": MODEL, "timeout": 20, "interval": 0.1}
    return {"polycloud.ollama.ollama_probe": options, "register": "probe", **more}


def texts(run: Run) -> list[str]:
    return [line.split(" | ", 3)[3].split(" at ")[0] for line in run.progress]


def all_of(url: str) -> list[str]:
    """What a good probe tells from beginning to end."""
    return [
        f"{url} answers, version 0.32.15",
        f"loading {MODEL}",
        f"{MODEL} is resident, 0% of it on the GPU",
        f"{MODEL} answered",
    ]


def test_events_are_shown_while_the_module_runs(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in SLOW.items():
        monkeypatch.setenv(key, value)
    url = engines.url("slow", gpu=False)
    run = run_playbook(tmp_path, [probe(url)])
    assert run.rc == 0, run.stdout
    assert texts(run) == all_of(url)
    times = {text: at for (at, line) in run.stderr for text in all_of(url) if text in line}
    assert times[f"{MODEL} is resident, 0% of it on the GPU"] - times[f"loading {MODEL}"] > 1.0
    assert run.progress[0].startswith("target | 00:00 | Ollama | ")
    assert run.progress[2].startswith("target | 00:01 | Ollama | ")
    assert "version 0.32.15" not in run.stdout, "standard output belongs to the callback"


def test_the_internal_option_does_not_show_in_the_invocation(engines: Engines, tmp_path: Path) -> None:
    run = run_playbook(tmp_path, [probe(engines.url(gpu=False))], "-vvv", env={"ANSIBLE_INJECT_INVOCATION": "1"})
    assert run.rc == 0, run.stdout
    assert "module_args" in run.stdout
    assert "progress_file" not in run.stdout + str(run.stderr)


def test_targets_that_run_in_parallel_each_show_their_own_lines_whole(engines: Engines, tmp_path: Path) -> None:
    url = engines.url(gpu=False)
    hosts = [f"target-{number}" for number in range(4)]
    run = run_playbook(tmp_path, [probe(url)], "-f", "4", hosts=hosts)
    assert run.rc == 0, run.stdout
    assert {line.split(" | ")[0] for line in run.progress} == set(hosts)
    for host in hosts:
        own = [line for line in run.progress if line.startswith(f"{host} | ")]
        assert len(own) in (3, 4), own  # "loading" only where it was not loaded by another target before
        assert own[-1].split(" | ")[3].startswith(f"{MODEL} answered")


@pytest.mark.parametrize(
    ("task", "env"),
    [
        ({}, {"POLYCLOUD_PROGRESS": "0"}),
        ({"no_log": True}, {}),
        ({"async": 30, "poll": 1}, {}),
    ],
    ids=["switched off", "no_log", "async"],
)
def test_nothing_is_shown_where_it_must_not_or_cannot_be(
    engines: Engines, tmp_path: Path, task: dict[str, Any], env: dict[str, str]
) -> None:
    check = {"ansible.builtin.assert": {"that": ["probe.events | length == 4", "probe.answer | length > 0"]}}
    run = run_playbook(tmp_path, [probe(engines.url(gpu=False), **task), check], env=env)
    assert run.rc == 0, run.stdout
    assert run.progress == []


def test_a_remote_module_has_its_events_shown_at_its_end(engines: Engines, tmp_path: Path) -> None:
    (tmp_path / "connection_plugins").mkdir()
    (tmp_path / "connection_plugins" / "faraway.py").write_text(FARAWAY)
    url = engines.url(gpu=False)
    run = run_playbook(
        tmp_path,
        [probe(url)],
        variables={"ansible_connection": "faraway"},
        env={"ANSIBLE_CONNECTION_PLUGINS": str(tmp_path / "connection_plugins")},
    )
    assert run.rc == 0, run.stdout
    assert texts(run) == all_of(url)


def test_a_failing_module_shows_what_it_saw_and_fails(engines: Engines, tmp_path: Path) -> None:
    run = run_playbook(tmp_path, [probe(engines.url("no-model"))])
    assert run.rc == 2
    assert "answers, version" in run.progress[0]
    assert "answers but has no model" in run.stdout + str(run.stderr)


def test_check_mode_and_module_defaults_work_as_for_any_module(engines: Engines, tmp_path: Path) -> None:
    url = engines.url(gpu=False)
    task = {
        "module_defaults": {"group/polycloud.ollama.all": {"url": url}},
        "block": [
            {"polycloud.ollama.ollama_probe": {"model": MODEL, "timeout": 20}, "register": "probe"},
            {"ansible.builtin.assert": {"that": ["probe.answer == ''", "not probe.resident"]}},
        ],
    }
    run = run_playbook(tmp_path, [task], "--check")
    assert run.rc == 0, run.stdout
    assert texts(run) == all_of(url)[:1]


def test_no_file_is_left_behind(engines: Engines, tmp_path: Path) -> None:
    run = run_playbook(tmp_path, [probe(engines.url())], env={"ANSIBLE_LOCAL_TEMP": str(tmp_path / "local")})
    assert run.rc == 0, run.stdout
    assert run.progress
    assert not list(tmp_path.rglob("polycloud-progress-*"))


def test_the_channel_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from ansible_collections.polycloud.ollama.plugins.plugin_utils import progress

    monkeypatch.setattr(progress, "DEFAULT_LOCAL_TMP", str(tmp_path))
    action = SimpleNamespace(
        _task=SimpleNamespace(args={"model": MODEL}), _connection=SimpleNamespace(transport="local")
    )
    shown: list[Any] = []
    with progress.ProgressAction._channel(action, shown.append) as (arguments, tail):  # type: ignore[arg-type]
        path = Path(arguments["progress_file"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert arguments["model"] == MODEL
        with path.open("a") as stream:
            stream.write('{"at": 1}\nnot json\n{"at": 2')
            stream.write("}\n")
    assert shown == [{"at": 1}, {"at": 2}]
    assert tail is not None
    assert tail.count == 2
    assert not path.exists()


def test_what_comes_in_pieces_is_shown_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.touch()
    shown: list[Any] = []
    tail = Tail(path, shown.append)
    tail.start()
    with path.open("a", buffering=1) as stream:
        stream.write('{"at": 1, "te')
        stream.flush()
        stream.write('xt": "ä"}\n')
    tail.finish()
    assert shown == [{"at": 1, "text": "ä"}]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"at": 12.4, "source": "ECS", "text": "steady"}, "h | 00:12 | ECS | steady"),
        ({"at": 3725, "source": "ECS", "text": "steady"}, "h | 62:05 | ECS | steady"),
        ({"at": 0, "source": "E\x1b[2J", "text": "a\r\nb\u202e"}, "h | 00:00 | E [2J | a b"),
        ({"at": 0}, "h | 00:00 |  | "),
        ({"at": "soon", "text": "x"}, None),
        (["at"], None),
        (None, None),
    ],
)
def test_a_line_is_built_from_untrusted_parts(event: Any, line: str | None) -> None:
    assert progress_line("h", event) == line


def test_one_file_serves_all_names() -> None:
    real = [path for path in ACTIONS if not path.is_symlink()]
    assert len(real) == 1
    assert {path.resolve() for path in ACTIONS} == {real[0].resolve()}
    assert all(path.readlink() == Path(real[0].name) for path in ACTIONS if path.is_symlink())


@pytest.mark.parametrize("name", [path.stem for path in ACTIONS if path.stem in module_names()])
def test_a_module_with_the_plugin_accepts_its_option_and_returns_events(name: str) -> None:
    assert "polycloud.ollama.progress" in documentation(name)["extends_documentation_fragment"]
    source = (ROOT / "plugins" / "modules" / f"{name}.py").read_text()
    assert "PROGRESS_ARGSPEC" in source
    assert "events" in json.dumps(source)

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done with a model is decided without any call; doing it is tried on the test engine."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.client import OllamaClient
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.errors import (
    DigestMismatch,
    DiskTooFull,
    NotReady,
    OllamaError,
    PullFailed,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.model import (
    Found,
    ModelSpec,
    apply,
    check_disk,
    observe,
    predict,
    report_pull,
    spec_from,
    steps,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.records import PullProgress
from tests.helpers.engines import MODEL, Engines

OLD, NEW = "a" * 64, "b" * 64
ABSENT = Found()
ON_DISK = Found(digest=OLD, size=5)
BRIEFLY = Found(digest=OLD, size=5, resident=True, resident_digest=OLD)
FOR_GOOD = Found(digest=OLD, size=5, resident=True, resident_digest=OLD, stays=True)
STALE = Found(digest=NEW, size=5, resident=True, resident_digest=OLD, stays=True)

OPTIONS: dict[str, Any] = {
    "name": MODEL,
    "state": "present",
    "digest": None,
    "keep_alive": "-1",
    "insecure": False,
    "timeout": 5.0,
    "path": None,
    "min_free_bytes": None,
}


@pytest.mark.parametrize(
    ("state", "digest", "found", "todo"),
    [
        ("present", "", ABSENT, ("pull",)),
        ("present", "", ON_DISK, ()),
        ("present", OLD, ON_DISK, ()),
        ("present", NEW, ON_DISK, ("pull",)),
        ("loaded", "", ABSENT, ("pull", "load")),
        ("loaded", "", ON_DISK, ("load",)),
        ("loaded", "", BRIEFLY, ("load",)),
        ("loaded", "", FOR_GOOD, ()),
        ("loaded", "", STALE, ("unload", "load")),
        ("loaded", NEW, FOR_GOOD, ("pull", "unload", "load")),
        ("loaded", NEW, STALE, ("unload", "load")),
        ("unloaded", "", ABSENT, ()),
        ("unloaded", "", ON_DISK, ()),
        ("unloaded", "", FOR_GOOD, ("unload",)),
        ("absent", "", ABSENT, ()),
        ("absent", "", ON_DISK, ("delete",)),
        ("absent", "", BRIEFLY, ("unload", "delete")),
    ],
)
def test_only_what_is_needed_is_done(state: str, digest: str, found: Found, todo: tuple[str, ...]) -> None:
    assert steps(ModelSpec(MODEL, state, digest=digest), found) == todo


def test_any_stay_in_memory_will_do_where_an_idle_time_is_wanted() -> None:
    assert steps(ModelSpec(MODEL, "loaded", keep_alive="30m"), BRIEFLY) == ()
    assert steps(ModelSpec(MODEL, "loaded", keep_alive="-1m"), BRIEFLY) == ("load",)


@pytest.mark.parametrize("state", ["present", "loaded", "unloaded", "absent"])
@pytest.mark.parametrize("found", [ABSENT, ON_DISK, BRIEFLY, FOR_GOOD, STALE])
def test_after_the_predicted_steps_nothing_is_left_to_do(state: str, found: Found) -> None:
    spec = ModelSpec(MODEL, state)
    after = predict(spec, found, steps(spec, found))
    # A load brings the model of the disk into memory, which the prediction leaves to the server to say.
    settled = Found(**{**vars(after), "resident_digest": after.digest}) if after.resident else after
    assert steps(spec, settled) == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "../../etc/passwd"}, r"name '../../etc/passwd' must"),
        ({"name": "a;rm -rf"}, "must be name"),
        ({"name": "gpt-oss:120b-cloud"}, "is a cloud model"),
        ({"digest": "abc"}, "digest 'abc' must be"),
        ({"digest": OLD, "state": "absent"}, "digest has no meaning with state=absent"),
        ({"keep_alive": "0", "state": "loaded"}, "keep_alive=0 unloads"),
        ({"timeout": 0.0}, "timeout must be greater than 0"),
    ],
)
def test_options_that_cannot_hold_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(OllamaError, match=said):
        spec_from({**OPTIONS, **wrong})


def test_a_model_is_pulled_loaded_unloaded_and_deleted(engines: Engines) -> None:
    client = OllamaClient(engines.url(models=""))
    for state, resident, on_disk in (
        ("present", False, True),
        ("loaded", True, True),
        ("unloaded", False, True),
        ("absent", False, False),
    ):
        spec = ModelSpec(MODEL, state)
        after = apply(client, spec, steps(spec, observe(client, MODEL)), lambda *_: None)
        assert (after.resident, after.on_disk) == (resident, on_disk), state
        assert steps(spec, after) == (), state


def test_a_tag_that_moved_at_its_source_is_found_after_the_pull(engines: Engines) -> None:
    client = OllamaClient(engines.url(models=f"{MODEL}@sha256:{OLD}"))
    with pytest.raises(DigestMismatch, match="was pulled, but the tag now means"):
        apply(client, ModelSpec(MODEL, "present", digest=NEW), ("pull",), lambda *_: None)


def test_a_model_that_no_source_has_is_an_error(engines: Engines) -> None:
    with pytest.raises(PullFailed):
        apply(OllamaClient(engines.url()), ModelSpec("missing", "present"), ("pull",), lambda *_: None)


def test_a_model_that_stays_in_memory_is_given_up(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    client = OllamaClient(engines.url())
    client.load(MODEL)
    monkeypatch.setattr(client, "unload", lambda *_, **__: None)
    with pytest.raises(NotReady, match="is still in memory"):
        apply(client, ModelSpec(MODEL, "unloaded", timeout_s=0.3), ("unload",), lambda *_: None)


def test_a_full_disk_is_refused_before_the_pull() -> None:
    spec = ModelSpec(MODEL, "present", path="/", min_free_bytes=10**18)
    with pytest.raises(DiskTooFull, match=f"min_free_bytes is {10**18}: {MODEL} is not pulled"):
        check_disk(spec, lambda *_: None)


@pytest.mark.parametrize(("path", "why"), [(None, "path is not set"), ("/nonexistent/models", "No such file")])
def test_a_disk_that_cannot_be_seen_is_said(path: str | None, why: str) -> None:
    said: list[str] = []
    looked = check_disk(ModelSpec(MODEL, "present", path=path, min_free_bytes=1), lambda _, text: said.append(text))
    assert looked["checked"] is False
    assert why in looked["reason"]
    assert why in said[0]


def test_a_pull_of_many_lines_becomes_few_events() -> None:
    """1,001 lines of 0.1 s each: one event every five seconds and one for each new step."""
    lines = [PullProgress("pulling abc", "sha256:abc", 1000, done) for done in range(1001)]
    lines = [PullProgress("pulling manifest", "", 0, 0), *lines, PullProgress("success", "", 0, 0)]
    said: list[str] = []
    ticks = iter(range(10**6))
    report_pull(MODEL, lines, lambda _, text: said.append(text), clock=lambda: next(ticks) / 10)
    assert said[0] == f"{MODEL}: pulling manifest"
    assert said[1] == f"{MODEL}: pulling layers, 0% of 0 MB"
    assert said[-1] == f"{MODEL}: success"
    assert 10 < len(said) < 30


def test_the_share_counts_all_layers() -> None:
    lines = [PullProgress("p", "one", 3_000_000, 3_000_000), PullProgress("p", "two", 1_000_000, 0)]
    said: list[str] = []
    ticks = iter(range(0, 1000, 6))
    report_pull(MODEL, lines, lambda _, text: said.append(text), clock=lambda: float(next(ticks)))
    assert said == [f"{MODEL}: pulling layers, 100% of 3 MB", f"{MODEL}: pulling layers, 75% of 4 MB"]

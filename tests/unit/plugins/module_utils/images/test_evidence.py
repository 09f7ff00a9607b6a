# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that an image passed validate: what is written, what is taken for evidence, and what it allows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError, Refused
from ansible_collections.polycloud.ollama.plugins.module_utils.images.evidence import (
    SKEW,
    BadEvidence,
    Demand,
    Evidence,
    judge,
    make_evidence,
    read_all,
    read_evidence,
    timestamp,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.images.history import taken_back

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WANTED, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
TAG = "registry.example.org/team/ollama:stable"
IMAGE, ANOTHER = (f"registry.example.org/team/ollama:0.24.0@{digest}" for digest in (WANTED, OTHER))
SIDECAR = f"registry.example.org/team/ollama-sidecar@{OTHER}"
DEPLOYMENT = {"name": "chat", "release": "chat:7", "image": IMAGE, "settled": True, "endpoints": ["http://10.0.0.9:1"]}
PROBE = {"answer": "a secret", "tokens_per_second": 61.5, "gpu_ratio": 1.0, "digest": "c" * 64, "version": "0.24.0"}
WEEK = timedelta(days=7)


def made(*probes: dict[str, Any], **deployment: Any) -> dict[str, Any]:
    """Evidence as the role `validate` makes it."""
    return make_evidence(
        {**DEPLOYMENT, **deployment},
        {"results": list(probes)},
        target="chat-use1",
        platform="ecs",
        model="gemma3:1b",
        at=timestamp(NOW),
    )


GOOD = made(PROBE)


def shown(target: str = "chat-use1", **change: Any) -> Evidence:
    """Evidence of a passed validate one hour ago, with changes."""
    given = {"platform": "ecs", "images": (IMAGE,), "settled": True, "passed": True}
    return Evidence(target=target, **{**given, "at": NOW - timedelta(hours=1), **change})


def demand(**change: Any) -> Demand:
    return Demand(**{"digest": WANTED, "max_age": WEEK, **change})


# ---- writing


def test_it_says_which_image_answered_and_how_but_not_what_nor_where() -> None:
    assert (GOOD["result"], GOOD["image"], GOOD["digest"], GOOD["settled"]) == ("passed", IMAGE, WANTED, True)
    assert GOOD["models"] == [{"name": "gemma3:1b", "digest": "sha256:" + "c" * 64}]
    assert GOOD["answers"][0]["tokens_per_second"] == 61.5
    assert "secret" not in json.dumps(GOOD)
    assert "10.0.0.9" not in json.dumps(GOOD)


def test_an_image_that_runs_by_tag_has_no_digest() -> None:
    assert made(PROBE, image="registry.example.org/team/ollama:0.24.0")["digest"] == ""


def test_it_says_where_another_release_was_on_its_way() -> None:
    assert made(PROBE, settled=False)["settled"] is False


def test_one_endpoint_that_fails_makes_it_failed() -> None:
    assert made(PROBE, {"failed": True, "msg": "a secret"})["result"] == "failed"
    assert made({"failed": True, "msg": "x"})["models"] == [{"name": "gemma3:1b", "digest": ""}]


@pytest.mark.parametrize("probes", [{}, {"results": []}, {"skipped": True}, {"results": [{**PROBE, "answer": ""}]}])
def test_where_nothing_was_asked_there_is_no_evidence(probes: dict[str, Any]) -> None:
    assert make_evidence(DEPLOYMENT, probes, target="t", platform="ecs", model="m", at=timestamp(NOW)) == {}


def test_what_is_stopped_gives_no_evidence() -> None:
    assert made(PROBE, image="", settled=False) == {}


# ---- reading


def test_what_was_written_is_read_again() -> None:
    assert read_evidence(json.dumps(GOOD), "x") == shown(at=NOW, source="x")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "promise"}, "kind and schema"),
        ({"schema": True}, "kind and schema"),
        ({"schema": 2}, "kind and schema"),
        ({"digest": OTHER}, "digest is not that of image"),
        ({"digest": ""}, "digest is not that of image"),
        ({"result": "PASSED"}, "passed or failed"),
        ({"settled": "yes"}, "settled"),
        ({"at": "2026-11-22"}, "at is not a time"),
        ({"at": "2026-13-22T10:00:00Z"}, "at is not a time"),
        ({"at": "2026-11-22T10:00:00+09:00"}, "at is not a time"),
        ({"target": ""}, "is empty"),
        ({"platform": ["ecs"]}, "platform is not a text"),
        ({"sidecar_image": None}, "sidecar_image is not a text"),
        ({"answers": []}, "passed without answers"),
        ({"models": ["gemma3:1b"]}, "models is not a list of objects"),
    ],
)
def test_a_forged_field_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(BadEvidence, match=told):
        read_evidence(json.dumps({**GOOD, **change}), "x")


@pytest.mark.parametrize("name", ["kind", "schema", "result", "at", "target", "platform", "image", "digest", "settled"])
def test_a_missing_field_is_refused(name: str) -> None:
    with pytest.raises(BadEvidence):
        read_evidence(json.dumps({key: value for key, value in GOOD.items() if key != name}), "x")


def test_a_field_that_is_named_twice_is_refused() -> None:
    with pytest.raises(BadEvidence, match="twice"):
        read_evidence(json.dumps(GOOD)[:-1] + ', "result": "passed"}', "x")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"passed"', b"[" * 100_000])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(BadEvidence, match="is not evidence of validate"):
        read_evidence(raw, "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.sampled_from([WANTED, IMAGE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


FIELD = st.sampled_from(sorted(GOOD))


@given(changes=st.dictionaries(FIELD, JSON, max_size=6), left_out=st.sets(FIELD))
def test_whatever_the_fields_are_only_an_image_that_passed_is_promoted(
    changes: dict[str, Any], left_out: set[str]
) -> None:
    body = {name: value for name, value in {**GOOD, **changes}.items() if name not in left_out}
    try:
        good = judge([read_evidence(json.dumps(body), "x")], demand(), NOW)
    except PolycloudError:
        return
    assert [WANTED in item.digests for item in good] == [True]
    assert (body["result"], body["settled"], body["schema"], body["kind"]) == ("passed", True, 1, "validate")
    assert f"@{WANTED}" in body["image"] + body["sidecar_image"]


def test_a_folder_is_read_whole_and_one_bad_file_spoils_it(tmp_path: Path) -> None:
    (tmp_path / "validate-a.json").write_text(json.dumps(GOOD))
    (tmp_path / "image.json").write_text("{}")
    assert [item.source for item in read_all(tmp_path)] == ["validate-a.json"]
    (tmp_path / "validate-b.json").write_text(json.dumps(GOOD)[:40])
    with pytest.raises(BadEvidence, match="validate-b.json"):
        read_all(tmp_path)


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match="does not exist"):
        read_all(tmp_path / "missing")
    (tmp_path / "validate-a.json").write_bytes(b" " * (1024 * 1024 + 1))
    with pytest.raises(BadEvidence, match="larger than"):
        read_all(tmp_path)


# ---- judging


def refused(*evidence: Evidence, **change: Any) -> str:
    with pytest.raises(Refused) as caught:
        judge(evidence, demand(**change), NOW)
    return str(caught.value)


def test_one_target_that_passed_is_enough_where_nothing_more_is_asked() -> None:
    assert judge([shown()], demand(), NOW) == [shown()]


def test_targets_that_run_another_image_or_passed_long_ago_do_not_count_and_do_no_harm() -> None:
    others = [shown("b", images=(ANOTHER,)), shown("c", at=NOW - WEEK - timedelta(seconds=1))]
    assert judge([shown(), *others], demand(), NOW) == [shown()]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"passed": False}, "failed validate"),
        ({"images": (ANOTHER,)}, f"runs another image, {OTHER}"),
        ({"images": (TAG,)}, f"runs {TAG}, a tag: deploy the image by its digest"),
        ({"settled": False}, "another release was on its way"),
        ({"at": NOW - WEEK - timedelta(seconds=1)}, "longer ago than 168 hours"),
        ({"at": NOW + SKEW + timedelta(seconds=1)}, "in the future"),
    ],
)
def test_what_does_not_show_that_the_image_passed_is_told_and_refused(change: dict[str, Any], told: str) -> None:
    assert told in refused(shown(**change))


def test_the_prompt_went_through_the_sidecar_so_both_images_have_passed_or_failed() -> None:
    body = made(PROBE, image=ANOTHER.replace("ollama", "engine"), sidecar_image=IMAGE)
    both = read_evidence(json.dumps(body), "x")
    assert judge([both], demand(), NOW) == judge([both], demand(digest=OTHER), NOW) == [both]
    failed = shown("b", images=(ANOTHER, IMAGE), passed=False)
    assert "b (ecs) failed" in refused(both, failed)
    assert "b (ecs) failed" in refused(both, failed, digest=OTHER)
    assert f"another image, {WANTED} and {OTHER}" in refused(
        shown(images=(IMAGE, SIDECAR)), digest="sha256:" + "d" * 64
    )


def test_a_tag_beside_the_image_does_no_harm() -> None:
    beside = shown(images=(TAG, IMAGE))
    assert judge([beside], demand(), NOW) == [beside]


def test_evidence_from_before_there_was_a_sidecar_is_read() -> None:
    body = {name: value for name, value in GOOD.items() if name != "sidecar_image"}
    assert read_evidence(json.dumps(body), "x").images == (IMAGE,)


def test_without_any_evidence_it_is_refused() -> None:
    assert "there is no evidence" in refused()


@pytest.mark.parametrize("age", [timedelta(0), timedelta(days=400)])
def test_an_image_that_failed_somewhere_is_refused_whatever_others_say(age: timedelta) -> None:
    assert "chat-euw1 (ecs) failed" in refused(shown(), shown("chat-euw1", passed=False, at=NOW - age))


def test_the_last_evidence_of_a_target_is_what_counts() -> None:
    before = NOW - timedelta(hours=2)
    assert judge([shown(passed=False, at=before), shown()], demand(), NOW) == [shown()]
    assert "failed" in refused(shown(passed=False), shown(at=before))
    assert "failed" in refused(shown(passed=False), shown())


def test_every_target_that_is_asked_for_must_have_passed() -> None:
    both = [shown("a"), shown("b")]
    assert judge(both, demand(targets=["a", "b"]), NOW) == both
    assert "target c has no evidence" in refused(*both, targets=["a", "c"])
    assert "b (ecs) runs another image" in refused(shown("a"), shown("b", images=(ANOTHER,)), targets=["a", "b"])


def test_on_every_platform_that_is_asked_for_a_target_must_have_passed() -> None:
    both = [shown("a"), shown("b", platform="aci")]
    assert judge(both, demand(platforms=["ecs", "aci"]), NOW) == both
    assert "no target of platform container_apps" in refused(*both, platforms=["container_apps"])
    late = shown("b", platform="aci", at=NOW - WEEK * 2)
    assert "b (aci) was validated at" in refused(shown("a"), late, platforms=["aci"])


def test_what_hostile_evidence_says_stays_on_one_line() -> None:
    assert "\n" not in refused(shown("a\nb\x1b[2J", images=("x\ny",)))


def test_an_image_that_was_taken_back_must_be_validated_again() -> None:
    back = NOW - timedelta(minutes=30)
    assert "before this image was taken back" in refused(shown(), not_before=back)
    assert judge([shown(at=NOW)], demand(not_before=back), NOW)


# ---- the moves of the tag


def moved(folder: Path, *moves: dict[str, str]) -> Path:
    path = folder / "promote.json"
    path.write_text(json.dumps({"moves": list(moves)}))
    return path


def test_the_last_fallback_from_an_image_is_when_it_was_taken_back(tmp_path: Path) -> None:
    back = {"action": "fallback", "from": WANTED, "to": OTHER}
    path = moved(
        tmp_path,
        {**back, "at": "2026-11-20T10:00:00Z"},
        {**back, "at": "2026-11-22T10:00:00Z"},
        {"action": "promote", "from": WANTED, "to": OTHER, "at": "2026-11-22T11:00:00Z"},
    )
    assert taken_back(path, WANTED) == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert taken_back(path, OTHER) is None
    assert taken_back(tmp_path / "missing.json", WANTED) is None


@pytest.mark.parametrize("text", ["", "[]", '{"moves": {}}', '{"moves": [1]}', '{"moves": [], "moves": []}'])
def test_a_history_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "promote.json").write_text(text)
    with pytest.raises(BadEvidence, match=r"promote\.json does not tell"):
        taken_back(tmp_path / "promote.json", WANTED)


def test_a_fallback_at_no_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadEvidence, match="at is not a time"):
        taken_back(moved(tmp_path, {"action": "fallback", "from": WANTED}), WANTED)

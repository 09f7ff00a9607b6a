# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the single benchmarks that can be wrong without anyone seeing it in the figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from benchmarks import __main__ as command
from benchmarks import b2_history, b3_inventory, b9_image, b10_fetch
from benchmarks.canned_aws import DEPLOYMENTS, REGIONS, Pages, definition, fewest_calls, task
from benchmarks.harness import RESULTS, Bench, NotMeasured
from benchmarks.terraform import find_provider
from tests.helpers.real_ollama import ollama_binary


@pytest.mark.parametrize(
    ("hosts", "calls"), [(1000, 2 + 10 + 10 + 10), (10_000, 2 + 100 + 100 + 10), (1, 2 + 2 + 2 + 1)]
)
def test_the_paging_minimum_is_lists_descriptions_and_each_definition_once(hosts: int, calls: int) -> None:
    assert fewest_calls(hosts) == calls


def test_canned_pages_hold_every_host_of_a_region_once() -> None:
    pages, region = Pages(2500), REGIONS[0]
    listed: list[str] = []
    request: dict[str, object] = {"maxResults": 100}
    while True:
        answer = json.loads(pages.answer(region, "ListTasks", request))
        listed += answer["taskArns"]
        if "nextToken" not in answer:
            break
        request["nextToken"] = answer["nextToken"]
    described = json.loads(pages.answer(region, "DescribeTasks", {"tasks": listed[:100]}))["tasks"]
    assert len(set(listed)) == 1250
    assert [task["taskArn"] for task in described] == listed[:100]
    first = pages.answer(region, "DescribeInstances", {}).decode()
    second = pages.answer(region, "DescribeInstances", {"NextToken": "1000"}).decode()
    assert (first.count("<instanceId>"), second.count("<instanceId>")) == (1000, 250)
    assert "<nextToken>1000</nextToken>" in first
    assert "<nextToken>" not in second


def test_tags_are_answered_only_to_who_asks_for_them() -> None:
    pages, region = Pages(10), REGIONS[0]
    request: dict[str, object] = {"tasks": json.loads(pages.answer(region, "ListTasks", {}))["taskArns"]}
    plain = json.loads(pages.answer(region, "DescribeTasks", request))["tasks"]
    tagged = json.loads(pages.answer(region, "DescribeTasks", request | {"include": ["TAGS"]}))["tasks"]
    assert [task["tags"] for task in plain] == [[]] * 5
    names = [{tag["key"]: tag["value"] for tag in task["tags"]}["aws:ecs:serviceName"] for task in tagged]
    assert [f"service:{name}" for name in names] == [task["group"] for task in tagged]
    assert [task | {"tags": []} for task in tagged] == plain


@pytest.mark.parametrize("name", ["Task", "TaskDefinition"])
def test_canned_ecs_answers_have_only_fields_of_the_api(name: str) -> None:
    shape = botocore.session.Session().get_service_model("ecs").shape_for(name)
    body = task(REGIONS[0], 0) if name == "Task" else definition(REGIONS[0], DEPLOYMENTS[0])["taskDefinition"]

    def unknown(value: object, shape: Any, path: str) -> list[str]:
        if isinstance(value, list):
            return [item for each in value for item in unknown(each, shape.member, path)]
        if isinstance(value, dict) and shape.type_name == "structure":
            inner = [(key, item) for key, item in value.items() if key in shape.members]
            missing = [f"{path}/{key}" for key in value if key not in shape.members]
            return missing + [
                name for key, item in inner for name in unknown(item, shape.members[key], f"{path}/{key}")
            ]
        return []

    assert unknown(body, shape, "") == []


def test_task_names_differ_between_regions_while_addresses_repeat() -> None:
    pages = Pages(4)
    tasks = [json.loads(pages.answer(region, "ListTasks", {}))["taskArns"][0].rpartition("/")[2] for region in REGIONS]
    assert tasks[0] != tasks[1]


def test_a_call_that_nobody_needs_has_no_answer() -> None:
    with pytest.raises(KeyError):
        Pages(1).answer(REGIONS[0], "DescribeVolumes", {})


@pytest.mark.parametrize(("counts", "held"), [({1: 1, 200: 1}, True), ({1: 1, 200: 2}, False)])
def test_calls_are_constant_only_if_the_longest_history_costs_no_more(
    counts: dict[int, int], held: bool, tmp_path: Path
) -> None:
    bench = Bench("B2", tmp_path, 1, say=lambda text: None)
    b2_history.add_spread(bench, counts)
    assert [row.held for row in bench.rows] == [held]


def test_only_calls_on_task_definitions_count_for_the_history() -> None:
    calls = ["ecs DescribeServices", "ecs ListTaskDefinitions", "ecs DescribeTaskDefinition", "ecs DescribeTasks"]
    assert b2_history.on_definitions(calls) == 2


def test_the_newest_provider_is_found_in_a_named_folder(tmp_path: Path) -> None:
    for version in ("5.9.0", "5.100.0"):
        (tmp_path / "registry.example" / "hashicorp" / "aws" / version / "linux_amd64").mkdir(parents=True)
    assert find_provider({"POLYCLOUD_TF_PLUGINS": str(tmp_path)}) == (tmp_path, "5.100.0")


def test_without_a_provider_the_reason_names_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match=f"no hashicorp/aws provider in {tmp_path}"):
        find_provider({"POLYCLOUD_TF_PLUGINS": str(tmp_path)})


def test_a_quick_run_never_touches_the_results_of_the_repository() -> None:
    assert command.arguments(["--quick"]).results != RESULTS
    assert command.arguments([]).results == RESULTS


def test_an_unknown_benchmark_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.arguments(["B0"])
    assert "no benchmark B0; there are B1, B2, B3, B4, B7, B9, B10, B11" in capsys.readouterr().err


def test_the_95th_percentile_lies_between_the_two_highest_of_twelve() -> None:
    assert b9_image.percentile_95([float(number) for number in range(1, 13)]) == pytest.approx(11.45)
    assert b9_image.percentile_95([2.0, 2.0]) == 2.0


def test_a_made_model_is_served_whole_and_a_copy_with_another_byte_is_seen(tmp_path: Path) -> None:
    b10_fetch.make_model(tmp_path / "served", (1024 * 1024,) * 2)
    shutil.copytree(tmp_path / "served", tmp_path / "ours")
    shutil.copytree(tmp_path / "served", tmp_path / "theirs")
    bench = Bench("B10", tmp_path, 1, say=lambda text: None)
    sides = b10_fetch.Sides(bench, tmp_path, tmp_path / "fetch.pyz", "http://127.0.0.1:1")
    sides.check()
    assert len(b10_fetch.digests(tmp_path / "served")) == 3
    max((tmp_path / "theirs" / "blobs").iterdir(), key=lambda path: path.stat().st_size).write_bytes(b"x")
    with pytest.raises(RuntimeError, match="theirs fetched something else"):
        sides.check()


def test_a_baked_model_has_blobs_of_the_sizes_that_were_asked_for_and_named_by_their_digest(tmp_path: Path) -> None:
    b9_image.bake(tmp_path, "tiny", [100_000, 32])
    blobs = {path.name: path.stat().st_size for path in (tmp_path / "blobs").iterdir()}
    assert sorted(blobs.values()) == [32, 100_000]
    assert {name.removeprefix("sha256-") for name in blobs} == set(b10_fetch.digests(tmp_path).values())


@pytest.mark.real
def test_a_quick_fetch_benchmark_makes_all_its_rows(tmp_path: Path) -> None:
    ollama_binary()
    bench = Bench("B10", tmp_path, 1, quick=True, say=lambda text: None)
    b10_fetch.run(bench)
    cases = [case.label for case in b10_fetch.QUICK_CASES]
    assert [row.metric for row in bench.rows] == [
        f"{what}, {case}" for case in cases for what in ("wall seconds", "peak MB")
    ]
    assert all(row.ours and row.theirs for row in bench.rows)


@pytest.mark.slow
def test_a_quick_inventory_benchmark_makes_all_its_rows(tmp_path: Path) -> None:
    bench = Bench("B3", tmp_path, 1, quick=True, say=lambda text: None)
    b3_inventory.run(bench)
    rows = {row.metric.rpartition(", ")[0]: row for row in bench.rows}
    compared = ["wall ms per host", "wall ms per emitted MB", "API calls", "peak MB"]
    assert set(rows) == {
        *compared,
        *(f"{metric}, details: true" for metric in compared),
        "wall ms per emitted MB, ansible-core alone with our output",
        "wall ms per emitted MB, ansible-core alone with the peer's output",
        "wall seconds with a filled cache",
    }
    assert rows["API calls, details: true"].held is True
    assert rows["API calls"].held is True
    assert rows["wall seconds with a filled cache"].detail["calls"] == {"ours": 0, "theirs": 0}

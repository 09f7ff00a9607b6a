# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same behaviour on every platform, against the sandbox: one list, run for each of them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.adapters import BETTER, CANARY, GOOD, bad
from tests.contract.subject import Subject, actions
from tests.helpers.modules import run_module
from tests.helpers.warm import run_warm


@pytest.mark.parametrize("runner", [run_warm, run_module])
def test_create_answers_a_prompt_and_the_second_run_changes_nothing(
    subject: Subject, runner: Callable[..., dict[str, Any]]
) -> None:
    """Once as all tests here run a module, and once as Ansible does, with a Python of its own."""
    subject.runner = runner
    created = subject.run()
    assert created["changed"]
    assert created["deployment"]["answer"]
    assert subject.answers(created["deployment"]["endpoints"][0])
    assert created["deployment"]["last_good"]
    subject.clear()

    again = subject.run()

    assert not again["changed"]
    assert subject.writes() == []
    assert set(actions(again).values()) == {"keep"}


def test_check_mode_on_nothing_plans_exactly_what_apply_then_does_and_writes_nothing(subject: Subject) -> None:
    planned = subject.run(check=True)
    assert planned["changed"]
    assert subject.writes() == []

    assert subject.run()["plan"] == planned["plan"]


def test_check_mode_of_an_update_plans_exactly_what_apply_then_does(deployed: Subject) -> None:
    planned = deployed.run(check=True, image=BETTER)
    assert planned["changed"]
    assert deployed.writes() == []

    assert deployed.run(image=BETTER)["plan"] == planned["plan"]


def test_drift_is_found_and_put_right(deployed: Subject) -> None:
    deployed.adapter.drift(deployed.sandbox)

    healed = deployed.run()
    assert healed["changed"]
    assert not [note for note in healed["plan"]["notes"] if "strategy" in note], "nothing that runs is replaced"
    assert not deployed.run()["changed"]


def test_a_good_update_is_released_and_recorded(deployed: Subject) -> None:
    updated = deployed.run(image=BETTER)["deployment"]

    assert BETTER in updated["serving"]
    assert (updated["image"], updated["settled"]) == (BETTER, True)
    assert updated["previous_good"]
    assert updated["last_good"] == updated["release"] != updated["previous_good"]
    assert not deployed.run(image=BETTER)["changed"]


@pytest.mark.parametrize("fault", ["no-model", "crash", "wrong-answer", "missing", "slow"])
def test_a_bad_release_is_rolled_back_refused_afterwards_and_the_good_one_is_unchanged(
    deployed: Subject, fault: str
) -> None:
    failed = deployed.run(fails=True, image=bad(fault))

    assert failed["rolled_back"]
    assert failed["changed"]
    assert GOOD in failed["deployment"]["serving"]
    assert deployed.answers(failed["deployment"]["endpoints"][0])
    deployed.clear()
    refused = deployed.run(fails=True, image=bad(fault))
    assert "found bad and rolled back" in refused["msg"]
    assert deployed.writes() == []
    assert not deployed.run()["changed"]


def test_during_a_bad_release_the_old_one_answers_or_the_plan_said_otherwise(deployed: Subject) -> None:
    endpoint = deployed.run(check=True)["deployment"]["endpoints"][0]
    asked: list[bool] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            asked.append(deployed.answers(endpoint))
            time.sleep(0.02)

    asker = threading.Thread(target=ask)
    asker.start()
    failed = deployed.run(fails=True, image=bad("no-model"))
    done.set()
    asker.join()

    assert len(asked) > 10
    if deployed.adapter.surge:
        assert all(asked)
        assert failed["deployment"]["outage_seconds"] is None
    else:
        assert any("outage expected" in note for note in failed["plan"]["notes"])
        assert failed["deployment"]["outage_seconds"] > 0


def test_a_bad_first_release_leaves_nothing_that_serves(subject: Subject) -> None:
    failed = subject.run(fails=True, image=bad("no-model"))

    assert "first release" in failed["msg"]
    assert subject.sandbox.client.workloads() == []
    assert subject.run()["changed"]


def test_a_stopped_deployment_stays_stopped_until_it_is_started(deployed: Subject) -> None:
    assert deployed.run(state="stopped")["changed"]
    assert deployed.sandbox.client.workloads() == []
    assert not deployed.run(state="stopped")["changed"]
    converged = deployed.run()
    assert not converged["changed"]
    assert not converged["deployment"]["running"]
    assert (converged["deployment"]["image"], converged["deployment"]["settled"]) == ("", False)
    assert deployed.sandbox.client.workloads() == []

    started = deployed.run(state="started")

    assert started["changed"]
    assert deployed.answers(started["deployment"]["endpoints"][0])
    assert not deployed.run(state="started")["changed"]


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_check_mode_of_an_end_plans_exactly_what_apply_then_does(deployed: Subject, state: str) -> None:
    planned = deployed.run(check=True, state=state)
    assert planned["changed"]
    assert deployed.writes() == []
    assert len(deployed.sandbox.client.workloads()) == 1

    done = deployed.run(state=state)

    assert done["plan"] == planned["plan"]


def test_check_mode_of_a_start_plans_exactly_what_apply_then_does(deployed: Subject) -> None:
    deployed.run(state="stopped")
    deployed.clear()
    planned = deployed.run(check=True, state="started")
    assert planned["changed"]
    assert deployed.writes() == []

    assert deployed.run(state="started")["plan"] == planned["plan"]


def test_a_gpu_that_was_lost_makes_a_release_bad(subject: Subject) -> None:
    """The image runs, the model answers, but from the CPU."""
    if subject.adapter.gpu is None:
        assert "retired" in subject.run(fails=True, resources={"cpu": 2, "memory_gib": 4, "gpu": {"count": 1}})["msg"]
        return
    subject.base = {**subject.base, "resources": subject.adapter.gpu}
    subject.run()

    failed = subject.run(fails=True, image=bad("no-gpu"))

    assert failed["rolled_back"]
    assert "GPU" in failed["msg"]
    assert GOOD in failed["deployment"]["serving"]


def test_rollback_shows_its_plan_and_returns_to_the_release_before(deployed: Subject) -> None:
    deployed.run(image=BETTER)
    deployed.clear()

    planned = deployed.run(check=True, state="rolled_back")
    assert planned["changed"]
    assert deployed.writes() == []
    done = deployed.run(state="rolled_back")

    assert done["plan"] == planned["plan"]
    assert GOOD in done["deployment"]["serving"]
    assert deployed.answers(done["deployment"]["endpoints"][0])
    assert not deployed.run()["changed"]
    assert "found bad" in deployed.run(fails=True, image=BETTER)["msg"]


def test_rollback_without_an_earlier_good_release_is_refused(deployed: Subject) -> None:
    assert "no earlier good release" in deployed.run(fails=True, state="rolled_back")["msg"]
    assert deployed.writes() == []


def test_an_immutable_change_is_refused_unless_recreate_is_set(deployed: Subject) -> None:
    if deployed.adapter.immutable is None:
        assert not deployed.run(recreate=True)["changed"]
        return
    changed = deployed.adapter.immutable(deployed.base)
    refused = deployed.run(fails=True, **changed)
    assert "recreate: true" in refused["msg"]
    assert deployed.writes() == []

    replaced = deployed.run(recreate=True, **changed)

    assert actions(replaced)[deployed.adapter.carrier] == "replace"
    assert deployed.answers(replaced["deployment"]["endpoints"][0])
    assert not deployed.run(**changed)["changed"]


def test_absent_deletes_what_is_ours_and_then_changes_nothing(deployed: Subject) -> None:
    assert deployed.run(check=True, state="absent")["changed"]
    assert deployed.writes() == []

    assert deployed.run(state="absent")["changed"]

    assert deployed.sandbox.client.workloads() == []
    assert not deployed.run(state="absent")["changed"]
    assert not deployed.run(state="stopped")["changed"]


def test_what_is_not_ours_is_refused_and_adopted_only_when_told(deployed: Subject) -> None:
    deployed.adapter.disown(deployed.sandbox)
    deployed.clear()

    refused = deployed.run(fails=True)

    assert "adopt: true" in refused["msg"]
    assert deployed.writes() == []
    assert deployed.run(adopt=True)["changed"]
    assert not deployed.run()["changed"]


def test_a_changed_secret_is_a_new_release_and_an_unchanged_one_is_not(deployed: Subject) -> None:
    if not deployed.adapter.secret_value:
        secret = deployed.run(fails=True, secrets=[{"name": "LICENCE", "value": CANARY}])
        assert "secrets[0].value is not safe on ecs" in secret["msg"]
        return
    changed = deployed.run(secrets=[{"name": "LICENCE", "value": CANARY + "-2"}])
    assert changed["changed"]
    assert not deployed.run(secrets=[{"name": "LICENCE", "value": CANARY + "-2"}])["changed"]


@pytest.mark.parametrize("kind", ["throttle", "error500", "reset_before", "reset_after"])
def test_a_call_that_fails_once_is_made_again_without_a_second_resource(subject: Subject, kind: str) -> None:
    subject.sandbox.client.arm(subject.adapter.write, kind, cloud=subject.adapter.cloud)

    assert subject.run()["changed"]
    assert not subject.run()["changed"]
    assert len(subject.sandbox.client.workloads()) == 1


def test_a_wait_is_bounded_and_says_what_was_last_seen(subject: Subject) -> None:
    failed = subject.run(fails=True, image=bad("never-ready"), update={"timeout": 2}, health={"timeout": 2})

    assert "first release" in failed["msg"] or "timed out" in failed["msg"].lower()
    assert subject.sandbox.client.workloads() == []


def test_a_missing_gift_of_the_user_is_named(subject: Subject) -> None:
    missing = json.loads(
        json.dumps(subject.base["platform"])
        .replace("rg-ollama-", "rg-missing-")
        .replace('"capacity_provider": "gpu"', '"capacity_provider": "missing"')
    )
    failed = subject.run(fails=True, platform=missing)

    assert "missing" in failed["msg"]


def test_expired_credentials_fail_before_the_first_write(subject: Subject) -> None:
    subject.sandbox.client.expire_credentials()

    failed = subject.run(fails=True)

    assert "expired" in failed["msg"].lower()
    assert subject.writes() == []


def test_a_cloud_that_is_down_is_named_and_the_next_run_heals(subject: Subject) -> None:
    subject.sandbox.client.set_down(subject.adapter.cloud)
    assert subject.run(fails=True)["msg"]

    subject.sandbox.client.set_down(subject.adapter.cloud, down=False)
    assert subject.run()["changed"]


def test_history_costs_no_calls(deployed: Subject) -> None:
    def reads() -> int:
        deployed.clear()
        deployed.run(check=True)
        return len(deployed.sandbox.client.requests())

    before = reads()
    for image in (BETTER, GOOD, BETTER, GOOD):
        deployed.run(image=image)

    assert reads() <= before

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconciler alone, on a platform in memory: what is planned is what is done, and a bad release never stays."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.deployment.model import Deployment, Model, Update
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import (
    ApiError,
    Refused,
    ReleaseFailed,
    RolloutFailed,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.outcome import Outcome, Verdict
from ansible_collections.polycloud.ollama.plugins.module_utils.planner import Consent
from ansible_collections.polycloud.ollama.plugins.module_utils.reconcile import Reconciler
from ansible_collections.polycloud.ollama.plugins.module_utils.resource import Found
from tests.helpers.memory_platform import Cloud, MemoryPlatform

GOOD = "ollama@sha256:" + "a" * 64
BETTER = "ollama@sha256:" + "b" * 64
MUTE = "mute@sha256:" + "c" * 64


def deployment(image: str = GOOD, **changes: Any) -> Deployment[None]:
    return Deployment(name="chat", image=image, models=(Model(name="gemma3:1b"),), platform=None, **changes)


class World:
    """One cloud over several runs."""

    def __init__(self, **capabilities: Any) -> None:
        self.cloud = Cloud()
        self.capabilities = capabilities
        self.asked: list[tuple[str, str]] = []

    def run(self, state: str = "present", image: str = GOOD, *, check: bool = False, **options: Any) -> Outcome:
        consent = Consent(**{name: options.pop(name) for name in ("force", "recreate", "adopt") if name in options})
        platform = MemoryPlatform(self.cloud, deployment(image, **options), **self.capabilities)
        reconciler = Reconciler(platform, self.verify, lambda source, text: None, consent=consent, check=check)
        self.last = reconciler
        return reconciler.run(state)

    def verify(self, endpoints: Any, model: Model) -> Verdict:
        self.asked += [(endpoint, model.name) for endpoint in endpoints]
        image = self.cloud.revisions[int(endpoints[0].rpartition(":")[2]) - 1]
        if image == MUTE:
            raise RolloutFailed("the answer is empty")
        return Verdict("ready", 50.0, 0.1)

    def writes(self) -> list[str]:
        done, self.cloud.writes = self.cloud.writes, []
        return done


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def deployed(world: World) -> World:
    world.run()
    world.writes()
    return world


def test_an_empty_account_gets_everything_in_order_and_the_release_is_asked_before_it_is_promoted(world: World) -> None:
    outcome = world.run()

    assert outcome.changed
    assert [str(change.action) for change in outcome.plan.changes] == ["create", "create", "create"]
    assert world.writes() == ["create network", "create definition", "create service", "promote chat:1"]
    assert world.asked == [("http://chat:1", "gemma3:1b")]
    assert outcome.record.last_good == "chat:1"


def test_a_second_run_changes_nothing_and_asks_nothing(deployed: World) -> None:
    deployed.asked.clear()

    outcome = deployed.run()

    assert (outcome.changed, deployed.writes(), deployed.asked) == (False, [], [])


@pytest.mark.parametrize("state", ["present", "started", "absent", "stopped"])
def test_check_mode_plans_what_apply_does_and_writes_nothing(state: str) -> None:
    for image in (GOOD, BETTER):
        checked, applied = World(), World()
        checked.run(), applied.run()
        checked.writes()
        plan = checked.run(state, image, check=True).plan
        assert checked.writes() == []
        assert plan == applied.run(state, image).plan


def test_check_mode_on_an_empty_account_shows_ids_as_known_after_apply(world: World) -> None:
    plan = world.run(check=True).plan

    assert plan.changed
    assert world.writes() == []


def test_a_new_image_updates_definition_and_service_with_a_reason(deployed: World) -> None:
    outcome = deployed.run(image=BETTER)

    assert outcome.plan["definition"].reason == "image"
    assert outcome.plan["service"].fields[0].after == "(known after apply)"
    assert deployed.writes() == ["update definition", "update service", "promote chat:2"]
    assert outcome.record.previous_good == "chat:1"
    assert any("needs one spare GPU" in note for note in outcome.plan.notes)


def test_a_strategy_without_room_for_two_says_that_an_outage_is_expected(deployed: World) -> None:
    outcome = deployed.run(image=BETTER, update=Update(strategy="stop_first"))

    assert any("outage expected" in note for note in outcome.plan.notes)
    assert outcome.outage_seconds is not None


@pytest.mark.parametrize("how", ["never steady", "mute"])
def test_a_bad_release_is_rolled_back_and_the_old_one_serves(deployed: World, how: str) -> None:
    bad = MUTE if how == "mute" else BETTER
    deployed.cloud.bad_images = {BETTER} if how == "never steady" else set()

    with pytest.raises(ReleaseFailed, match="Rolled back to chat:1") as failure:
        deployed.run(image=bad)

    assert failure.value.rolled_back
    assert GOOD in failure.value.serving
    assert deployed.writes() == ["update definition", "update service", "abandon chat:2"]
    assert deployed.last.outcome.record.last_good == "chat:1"
    assert deployed.last.outcome.record.rejected


def test_a_rejected_configuration_is_refused_until_forced_and_the_good_one_is_unchanged(deployed: World) -> None:
    with pytest.raises(ReleaseFailed):
        deployed.run(image=MUTE)
    deployed.writes()

    with pytest.raises(Refused, match="found bad and rolled back"):
        deployed.run(image=MUTE)
    assert deployed.writes() == []
    assert not deployed.run(image=GOOD).changed
    with pytest.raises(ReleaseFailed):
        deployed.run(image=MUTE, force=True)


def test_a_release_without_a_place_is_rolled_back_but_not_rejected(deployed: World) -> None:
    deployed.cloud.full = True
    with pytest.raises(ReleaseFailed, match="found no place: No GPU is free. Ask for a higher quota. Rolled back"):
        deployed.run(image=BETTER)
    assert deployed.last.outcome.record.rejected == ()
    deployed.cloud.full = False

    assert deployed.run(image=BETTER).changed


def test_a_bad_first_release_is_removed_again(world: World) -> None:
    with pytest.raises(ReleaseFailed, match="first release"):
        world.run(image=MUTE)

    assert "service" not in world.cloud.resources
    assert world.run(image=GOOD).changed


def test_without_automatic_rollback_a_bad_release_stays_and_is_said_so(deployed: World) -> None:
    with pytest.raises(ReleaseFailed, match="left in place") as failure:
        deployed.run(image=MUTE, update=Update(auto_rollback=False))

    assert not failure.value.rolled_back
    assert "abandon chat:2" not in deployed.writes()


def test_a_rollback_that_fails_says_so_and_what_serves(deployed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, rollout: Any) -> None:
        raise RolloutFailed("the cloud is down")

    monkeypatch.setattr(MemoryPlatform, "abandon", broken)
    with pytest.raises(ReleaseFailed, match="rollback failed as well: the cloud is down"):
        deployed.run(image=MUTE)


def test_a_release_that_a_killed_run_left_unproven_is_verified_by_the_next(deployed: World) -> None:
    deployed.cloud.resources["service"] = dataclasses.replace(
        deployed.cloud.resources["service"], tags={"polycloud-deployment": "chat"}
    )

    outcome = deployed.run()

    assert outcome.changed
    assert "never proven" in outcome.plan["service"].reason
    assert deployed.writes() == ["promote chat:1"]
    assert outcome.record.last_good == "chat:1"
    assert not deployed.run().changed


def test_stopped_stays_stopped_on_converge_and_starts_when_told(deployed: World) -> None:
    assert deployed.run("stopped").changed
    assert not deployed.run("stopped").changed
    assert not deployed.run().changed
    assert not deployed.cloud.running
    deployed.writes()

    assert deployed.run("started").changed
    assert deployed.writes() == ["start", "promote chat:1"]
    assert not deployed.run("started").changed


def test_a_new_tag_is_neither_a_release_nor_an_outage(deployed: World) -> None:
    service = deployed.cloud.resources["service"]
    untagged = {key: value for key, value in service.tags.items() if key != "polycloud-deployment"}
    deployed.cloud.resources["service"] = dataclasses.replace(service, tags=untagged)
    deployed.asked.clear()

    outcome = deployed.run(adopt=True, update=Update(strategy="stop_first"))

    assert deployed.writes() == ["update service"]
    assert outcome.plan.notes == ()
    assert deployed.asked == []


def test_a_good_release_that_does_not_come_up_again_is_neither_removed_nor_rejected(deployed: World) -> None:
    deployed.run("stopped")
    deployed.writes()
    deployed.cloud.bad_images.add(GOOD)

    with pytest.raises(ReleaseFailed, match=r"was good and does not come up again.*left as it is"):
        deployed.run("started")

    assert deployed.writes() == ["start"]
    assert deployed.last.outcome.record.rejected == ()
    deployed.cloud.bad_images.clear()
    assert not deployed.run("started").changed


def test_a_stopped_deployment_gets_its_new_definition_without_being_started(deployed: World) -> None:
    deployed.run("stopped")
    deployed.writes()

    deployed.run(image=BETTER)

    assert deployed.writes() == ["update definition", "update service"]
    assert not deployed.cloud.running


def test_a_release_made_while_stopped_that_is_bad_when_started_gives_way_to_the_last_good_one(deployed: World) -> None:
    deployed.run("stopped")
    deployed.run(image=MUTE)

    with pytest.raises(ReleaseFailed, match="Rolled back to chat:1"):
        deployed.run("started", MUTE)

    assert deployed.cloud.running


def test_where_a_stopped_deployment_cannot_be_changed_the_change_is_deferred_to_the_start() -> None:
    world = World(updates_while_stopped=False)
    world.run()
    world.run("stopped")
    world.writes()

    outcome = world.run(image=BETTER)
    assert not outcome.changed
    assert any(note.startswith("deferred") for note in outcome.plan.notes)
    assert world.writes() == []

    world.run("started", BETTER)
    assert world.writes() == ["start", "update definition", "update service", "promote chat:2"]


def test_stopping_what_does_not_exist_changes_nothing(world: World) -> None:
    outcome = world.run("stopped")

    assert not outcome.changed
    assert outcome.plan.notes == ("nothing to stop: the deployment does not exist",)


def test_rollback_returns_to_the_good_release_before_and_remembers_the_bad_one(deployed: World) -> None:
    deployed.run(image=BETTER)
    deployed.writes()
    deployed.asked.clear()

    plan = deployed.run("rolled_back", image="", check=True).plan
    assert ("release", "chat:2", "chat:1") in [(f.path, f.before, f.after) for f in plan["service"].fields]
    assert deployed.writes() == []

    outcome = deployed.run("rolled_back", image="")
    assert deployed.writes() == ["switch chat:1", "promote chat:1"]
    assert deployed.asked == [("http://chat:1", "old:1b")]
    assert outcome.record.last_good == "chat:1"
    assert outcome.record.rejected
    with pytest.raises(Refused, match="found bad"):
        deployed.run(image=BETTER)


def test_rollback_without_an_earlier_good_release_is_refused(deployed: World) -> None:
    with pytest.raises(Refused, match="no earlier good release"):
        deployed.run("rolled_back")


def test_an_immutable_change_is_refused_unless_recreate_is_set(deployed: World) -> None:
    with pytest.raises(Refused, match="zone cannot be changed in place"):
        deployed.run(overrides={"zone": "b"})
    assert deployed.writes() == []

    deployed.run(overrides={"zone": "b"}, recreate=True)
    assert deployed.writes() == ["delete network", "create network"]


def test_absent_deletes_in_reverse_order_and_keeps_what_others_use_or_own(deployed: World) -> None:
    network = deployed.cloud.resources["network"]
    deployed.cloud.resources["network"] = dataclasses.replace(network, tags={**network.tags, "busy": "yes"})

    outcome = deployed.run("absent")

    assert deployed.writes() == ["delete service", "delete definition"]
    assert outcome.plan.notes == ("memory network net stays: 2 other services",)
    assert not deployed.run("absent").changed


def test_what_is_not_ours_is_refused_unless_adopted(world: World) -> None:
    world.cloud.resources["service"] = Found(id="chat", body={}, tags={"team": "other"})

    with pytest.raises(Refused, match="not managed by this collection"):
        world.run()
    assert world.writes() == []


def test_a_shared_resource_of_the_user_is_used_as_it_is(world: World) -> None:
    world.cloud.resources["network"] = Found(id="net", body={"zone": "z"}, tags={})

    outcome = world.run()

    assert outcome.plan["network"].reason == "given by the user, used as it is"
    assert "create network" not in world.writes()


def test_a_fault_of_the_cloud_while_it_waits_says_nothing_of_the_release_and_the_next_run_goes_on(
    deployed: World,
) -> None:
    deployed.cloud.unreachable = True
    with pytest.raises(ApiError, match="memory.DescribeService failed.* is neither proven nor rejected: run again"):
        deployed.run(image=BETTER)
    assert deployed.writes() == ["update definition", "update service"]

    deployed.cloud.unreachable = False
    outcome = deployed.run(image=BETTER)

    assert outcome.record.last_good == outcome.record.release
    assert outcome.record.rejected == ()


def test_a_rollback_that_was_cut_off_goes_on_instead_of_returning_to_where_it_came_from(deployed: World) -> None:
    deployed.run(image=BETTER)
    deployed.cloud.unreachable = True
    with pytest.raises(ApiError):
        deployed.run("rolled_back")
    deployed.cloud.unreachable = False
    deployed.cloud.active = "chat:1"

    outcome = deployed.run("rolled_back")

    assert outcome.record.last_good == "chat:1"
    assert len(outcome.record.rejected) == 1


def test_a_replace_that_deletes_and_cannot_create_brings_back_what_ran_and_is_not_tried_again(deployed: World) -> None:
    deployed.cloud.refuses = "service"
    moved = {"image": BETTER, "overrides": {"place": "b"}, "recreate": True}
    with pytest.raises(ReleaseFailed, match=r"is bad: memory.Create service failed.*Rolled back to chat:1"):
        deployed.run(**moved)

    assert deployed.writes() == ["update definition", "delete service", "abandon "]
    assert deployed.last.outcome.running
    with pytest.raises(Refused, match="found bad and rolled back"):
        deployed.run(**moved)


def test_a_write_that_is_refused_leaves_what_runs_and_says_so(world: World) -> None:
    world.cloud.refuses = "service"

    with pytest.raises(ApiError, match="InaccessibleImage"):
        world.run()

    assert world.last.outcome.serving == "nothing"

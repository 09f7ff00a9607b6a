# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run may be about: the state it begins in, what it asks for, and how it is brought to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.lab import Lab

Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """One kind of run.

    prepare: brings any converged lab to the state in which the run begins. ask: the arguments of the run, new ones for
    each trial. heal: after a run that was broken (or not), ask again without fault until the state is reached; returns
    the arguments with which nothing is to do any more. running: workloads afterwards. exists: the resources do.
    """

    name: str
    prepare: Callable[[Lab], None]
    ask: Callable[[Lab], Changes]
    heal: Callable[[Lab, Changes, bool], Changes]
    running: int = 1
    exists: bool = True


def _deploy(lab: Lab) -> None:
    """One good release runs, whatever was before."""
    if not lab.image:
        lab.fresh()
        lab.image = lab.new_image()
        lab.run()


def _deploy_twice(lab: Lab) -> None:
    """Two good releases, the second one runs and the first one can be returned to."""
    _deploy(lab)
    lab.previous, lab.image = lab.image, lab.new_image()
    lab.run()


def _deploy_stopped(lab: Lab) -> None:
    _deploy(lab)
    lab.run(state="stopped")


def _deploy_started(lab: Lab) -> None:
    _deploy(lab)
    lab.run(state="started")


def _again(lab: Lab, asked: Changes, succeeded: bool) -> Changes:
    """The same arguments until they succeed, which is the next time."""
    if not succeeded:
        lab.run(**asked)
    lab.image = asked.get("image", lab.image)
    return asked


def _gone(lab: Lab, asked: Changes, succeeded: bool) -> Changes:
    _again(lab, asked, succeeded)
    lab.image = ""
    return asked


def _bad_again(lab: Lab, asked: Changes, succeeded: bool) -> Changes:
    """A bad image is refused or rolled back each time, and the good one is then nothing new."""
    assert not succeeded, "a bad release was taken as good"
    again = lab.run(fails=True, **asked)
    assert again.get("rolled_back") or "found bad" in again["msg"], again["msg"]
    return {}


def _back_again(lab: Lab, asked: Changes, succeeded: bool) -> Changes:
    """A rollback is asked for until it is done; where it was done already there is nothing left to return to."""
    if not succeeded:
        again = lab.run(fails=None, **asked)
        assert not again.get("failed") or "no earlier good release" in again["msg"], again["msg"]
    lab.image, lab.previous = lab.previous, ""
    return {}


SCENARIOS = (
    Scenario("create", Lab.fresh, lambda lab: {"image": lab.new_image()}, _again),
    Scenario("update", _deploy, lambda lab: {"image": lab.new_image()}, _again),
    Scenario("bad release", _deploy, lambda lab: {"image": lab.new_image("no-model")}, _bad_again),
    Scenario("rollback", _deploy_twice, lambda lab: {"state": "rolled_back"}, _back_again),
    Scenario("stop", _deploy_started, lambda lab: {"state": "stopped"}, _again, running=0),
    Scenario("start", _deploy_stopped, lambda lab: {"state": "started"}, _again),
    Scenario("delete", _deploy, lambda lab: {"state": "absent"}, _gone, running=0, exists=False),
)
STORAGE = (Scenario("create", Lab.fresh, lambda lab: {}, _again, running=0),)

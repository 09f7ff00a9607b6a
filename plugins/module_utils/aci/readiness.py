# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from a container group whether it is up, on its way, or will never be. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..text import one_line

BROKEN = ("Failed", "Canceled", "NotAccessible")
STOPPED = "Stopped"
MOST_RESTARTS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """up: all containers run. problem: why it will never be, empty while there is hope. text: for a progress line."""

    up: bool
    problem: str
    text: str


def judge(group: Mapping[str, Any], restarts_before: Mapping[str, int]) -> Verdict:
    """Judge a group's answer. restarts_before: restart counts by container when the wait began."""
    state = provisioning_state(group)
    view = group_state(group)
    containers = (group.get("properties") or {}).get("containers") or ()
    text = f"{state}, {view or 'no state yet'}; " + ", ".join(_phase(container) for container in containers)
    if state in BROKEN:
        return Verdict(False, f"provisioning {state.lower()}: {_last_event(group)}", text)
    for container in _all_containers(group):
        problem = _problem(container, restarts_before)
        if problem:
            return Verdict(False, problem, text)
    running = all(_current(container).get("state") == "Running" for container in containers)
    if view in ("Succeeded", "Failed"):
        return Verdict(False, f"all containers have ended ({view})", text)
    return Verdict(state == "Succeeded" and view == "Running" and running, "", text)


def provisioning_state(group: Mapping[str, Any]) -> str:
    return str((group.get("properties") or {}).get("provisioningState") or "")


def group_state(group: Mapping[str, Any]) -> str:
    """State of the instance view: C(Running), C(Stopped), C(Pending), C(Succeeded), C(Failed); empty at first."""
    return str(((group.get("properties") or {}).get("instanceView") or {}).get("state") or "")


def is_stopped(group: Mapping[str, Any]) -> bool:
    return group_state(group) == STOPPED


def restarts(group: Mapping[str, Any]) -> dict[str, int]:
    """Restart counts by container."""
    return {item["name"]: int(_view(item).get("restartCount") or 0) for item in _all_containers(group)}


def _all_containers(group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those that seed or prepare, which must end well first, and those that run."""
    properties = group.get("properties") or {}
    return [*(properties.get("initContainers") or ()), *(properties.get("containers") or ())]


def address(group: Mapping[str, Any]) -> str:
    """Host name or IP of the group, empty while it has none."""
    found = (group.get("properties") or {}).get("ipAddress") or {}
    return str(found.get("fqdn") or found.get("ip") or "")


def _view(container: Mapping[str, Any]) -> Mapping[str, Any]:
    view: Mapping[str, Any] = container["properties"].get("instanceView") or {}
    return view


def _current(container: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = _view(container).get("currentState") or {}
    return state


def _phase(container: Mapping[str, Any]) -> str:
    current = _current(container)
    detail = one_line(str(current.get("detailStatus") or ""), 80)
    return f"{container['name']} {current.get('state') or 'not started'}" + (f" ({detail})" if detail else "")


def _problem(container: Mapping[str, Any], before: Mapping[str, int]) -> str:
    """Why this container will not run: it restarts over and over, or its image cannot be pulled."""
    view = _view(container)
    name = container["name"]
    count = int(view.get("restartCount") or 0) - before.get(name, 0)
    if count >= MOST_RESTARTS:
        code = ((view.get("previousState") or {}) or _current(container)).get("exitCode")
        return f"container {name} was restarted {count} times, last exit code {code}"
    if "ImagePullBackOff" in str(_current(container).get("detailStatus") or ""):
        return f"the image of container {name} cannot be pulled: {_last_event(container)}"
    return ""


def _last_event(holder: Mapping[str, Any]) -> str:
    """The last warning of a group or container, else of its containers."""
    view = (holder.get("properties") or {}).get("instanceView") or {}
    events = [event for event in view.get("events") or () if event.get("type") != "Normal"]
    for container in (holder.get("properties") or {}).get("containers") or ():
        events += [event for event in _view(container).get("events") or () if event.get("type") != "Normal"]
    return one_line(str(events[-1].get("message") or "no reason given"), 300) if events else "no reason given"

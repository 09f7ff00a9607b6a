# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a platform gives a deployment of its hardening: rows of the plan, errors under C(hardening: strict). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..capabilities import Capabilities
from ..plan import Measure
from .model import Deployment

USER, READ_ONLY_ROOT, DROP_CAPABILITIES, IMAGE_SIZE = "user", "read_only_root", "drop_capabilities", "image_size"
# What strict demands, as the object of "needs".
DEMANDS = {
    USER: "a user other than root",
    READ_ONLY_ROOT: "a read-only root filesystem",
    DROP_CAPABILITIES: "a server without Linux capabilities",
    IMAGE_SIZE: "an image within the platform's limit",
}
ELSEWHERE = "deploy on a platform that has it (ecs), or set hardening: standard"
GB = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """What the translated bodies ask of the platform, overrides included; for all containers together.

    user: as the API takes it, empty where a container names none.
    """

    user: str = ""
    read_only_root: bool = False
    drop_capabilities: bool = False


def measures(deployment: Deployment[Any], capabilities: Capabilities, posture: Posture) -> tuple[Measure, ...]:
    """One row for each measure, met or not."""
    return (
        _user(deployment, capabilities, posture),
        _switch(READ_ONLY_ROOT, capabilities, posture.read_only_root),
        _switch(DROP_CAPABILITIES, capabilities, posture.drop_capabilities),
        _image_size(deployment, capabilities),
    )


def problems(deployment: Deployment[Any], capabilities: Capabilities, posture: Posture) -> Iterator[str]:
    """Under C(strict) each measure that is not met, or not known to be, with the way out."""
    if deployment.hardening != "strict":
        return
    for row in measures(deployment, capabilities, posture):
        if row.met is not True:
            yield (
                f"hardening strict needs {DEMANDS[row.measure]}, which {capabilities.platform} does not give here "
                f"({row.detail}): {row.way_out}"
            )


def _user(d: Deployment[Any], c: Capabilities, posture: Posture) -> Measure:
    if d.storage.mode != "baked" and not c.non_root_with_volume:
        way_out = "set storage.mode: baked, deploy on a platform that can (ecs), or set hardening: standard"
        return Measure(USER, False, c.gaps["non_root_with_volume"], way_out)
    if not c.sets_user:
        return Measure(USER, False, c.gaps["sets_user"], ELSEWHERE)
    if not posture.user or posture.user.split(":")[0] in ("0", "root"):
        way_out = "set storage.uid and storage.gid to a user's, such as 10001, or set hardening: standard"
        return Measure(USER, False, "a container runs as root or as the user of its image", way_out)
    return Measure(USER, True, posture.user)


def _switch(measure: str, c: Capabilities, asked: bool) -> Measure:
    if not getattr(c, measure):
        return Measure(measure, False, c.gaps[measure], ELSEWHERE)
    if not asked:
        way_out = f"leave platform.{measure} and overrides alone, or set hardening: standard"
        return Measure(measure, False, "the description turns it off", way_out)
    return Measure(measure, True, "")


def _image_size(d: Deployment[Any], c: Capabilities) -> Measure:
    """The size in a registry is that of packed layers. Models hardly pack, so it is near what a host unpacks."""
    if c.image_gb is None:
        return Measure(IMAGE_SIZE, True, "no stated limit")
    limit = f"at most {c.image_gb} GB"
    if d.image_size is None:
        way_out = "give image_size (image_result.size of the role image), or set hardening: standard"
        return Measure(IMAGE_SIZE, None, f"{limit}, and image_size is not given", way_out)
    size = f"{d.image_size / GB:.2f} GB packed, {limit}"
    if d.image_size > c.image_gb * GB:
        way_out = "keep the models on a volume (storage.mode: volume), choose smaller ones, or another platform"
        return Measure(IMAGE_SIZE, False, size, way_out)
    return Measure(IMAGE_SIZE, True, size)

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of the Container Apps API says, in one word. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..deployment.sidecar import sidecar_image_among
from . import normalise
from .bodies import weighted_revisions
from .capabilities import PROFILES
from .naming import CONTAINER, Described, profile_type


def quota_advice(deployment: Described) -> str:
    """What to do when no place to run is found for a replica."""
    kind = profile_type(deployment)
    profile = PROFILES.get(kind)
    where = deployment.platform.location
    if not deployment.wants_gpu:
        return f"The workload profile has no room for another replica in {where}."
    quota = f"ask for the quota '{profile.quota}'" if profile and profile.quota else f"ask for quota of {kind}"
    return (
        f"No GPU of {kind} is free in {where}: {quota}, choose another region, or set update.strategy: stop_first if "
        "the old release holds the only one."
    )


def is_running(raw: Mapping[str, Any]) -> bool:
    status = str((raw.get("properties") or {}).get("runningStatus") or "")
    return status not in ("Stopped", "Suspended")


def target_port(raw: Mapping[str, Any]) -> Any:
    configuration = (raw.get("properties") or {}).get("configuration") or {}
    return (configuration.get("ingress") or {}).get("targetPort")


def follows_newest(raw: Mapping[str, Any]) -> bool:
    """True if some traffic goes to whatever revision is newest."""
    configuration = (raw.get("properties") or {}).get("configuration") or {}
    entries = normalise.traffic((configuration.get("ingress") or {}).get("traffic"))
    return any(entry["name"] == normalise.LATEST for entry in entries)


def has_traffic(raw: Mapping[str, Any], revision: str) -> bool:
    """True if a revision gets requests, by name or as the newest."""
    newest = (raw.get("properties") or {}).get("latestReadyRevisionName")
    return revision in weighted_revisions(raw) or (follows_newest(raw) and revision == newest)


def serves_alone(raw: Mapping[str, Any], revision: str) -> bool:
    """True if no other revision gets requests, now or once it is ready."""
    properties = raw.get("properties") or {}
    single = str((properties.get("configuration") or {}).get("activeRevisionsMode") or "Single").lower() == "single"
    newest = properties.get("latestRevisionName") if single or follows_newest(raw) else None
    return (single or weighted_revisions(raw) <= {revision}) and newest in (None, revision)


def image_of(body: Mapping[str, Any]) -> str:
    return str(server_of(_template(body)).get("image") or "")


def sidecar_image_of(body: Mapping[str, Any]) -> str:
    """The image that the sidecar's container runs, empty without one."""
    return sidecar_image_among(_template(body).get("containers") or ())


def _template(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("properties") or {}).get("template") or {}


def server_of(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container of a template that serves: ours by its name, else the first."""
    containers: Sequence[Mapping[str, Any]] = template.get("containers") or ()
    named = [item for item in containers if item.get("name") == CONTAINER]
    return (named or list(containers) or [{}])[0]

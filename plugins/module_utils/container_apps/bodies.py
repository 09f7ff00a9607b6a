# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of requests, made of wanted ones: secret values, traffic, revision suffix, merge patches. Pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from ..release import config_hash
from . import normalise
from .translate import SERVING

Body = dict[str, Any]

SUFFIX_DIGITS = 9
# What Azure adds to a configuration and takes from nobody.
READ_ONLY = frozenset({"fqdn"})
# Parts of a configuration that a merge patch handles apart.
APART = frozenset({"secrets"})


def with_secrets(body: Mapping[str, Any], values: Mapping[str, str]) -> Body:
    """A copy of an app's body in which every secret without a vault has its value."""
    filled = copy.deepcopy(dict(body))
    entries = ((filled.get("properties") or {}).get("configuration") or {}).get("secrets") or ()
    for entry in entries:
        if not entry.get("keyVaultUrl") and entry.get("name") in values:
            entry["value"] = values[entry["name"]]
    return filled


def revision_body(
    wanted: Mapping[str, Any],
    *,
    tags: Mapping[str, str],
    suffix: str,
    serving: str,
    secrets: Mapping[str, str],
    kept_secrets: Iterable[Mapping[str, Any]] = (),
) -> Body:
    """The PUT that makes a new revision.

    serving: the revision that keeps the traffic, empty for the newest. kept_secrets: secrets of the former release,
    with their values, that its replicas still need while they run.
    """
    body = with_secrets(wanted, secrets)
    properties = body["properties"]
    properties["template"]["revisionSuffix"] = suffix
    configuration = properties["configuration"]
    if configuration.get("ingress"):
        configuration["ingress"]["traffic"] = traffic_to(serving)
    named = {entry["name"] for entry in configuration.get("secrets") or ()}
    kept = [dict(entry) for entry in kept_secrets if entry["name"] not in named]
    configuration["secrets"] = [*(configuration.get("secrets") or ()), *kept]
    return {**body, "tags": dict(tags)}


def traffic_to(revision: str) -> list[Body]:
    """All traffic to one revision; without a name to the newest that is ready."""
    if not revision:
        return [{"latestRevision": True, "weight": 100}]
    return [{"revisionName": revision, "weight": 100}]


def configuration_patch(found: Mapping[str, Any], wanted: Mapping[str, Any], serving: str) -> Body:
    """The merge patch of a configuration, secrets apart, with all traffic to a revision."""
    target = copy.deepcopy({key: value for key, value in wanted.items() if key not in APART})
    if target.get("ingress"):
        target["ingress"]["traffic"] = traffic_to(serving)
    return merge_patch({key: value for key, value in found.items() if key not in APART}, target)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Body:
    """The JSON merge patch (RFC 7396) from one mapping to another: null removes, lists are replaced."""
    patch: Body = {}
    for key, value in after.items():
        current = before.get(key)
        if isinstance(value, Mapping) and isinstance(current, Mapping):
            inner = merge_patch(current, value)
            if inner:
                patch[key] = inner
        elif value != current:
            patch[key] = value
    for key, value in before.items():
        if key not in after and key not in READ_ONLY and value not in (None, [], {}):
            patch[key] = None
    return patch


def revision_suffix(body: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """A short name of what makes a revision: template, workload profile, secrets. It must begin with a letter."""
    properties = body["properties"]
    entries = (properties.get("configuration") or {}).get("secrets") or ()
    part = {
        "template": normalise.template(properties.get("template") or {}),
        "workloadProfileName": properties.get("workloadProfileName"),
        "secrets": [{key: entry[key] for key in ("name", "keyVaultUrl") if key in entry} for entry in entries],
    }
    return "r" + config_hash(part, secrets)[:SUFFIX_DIGITS]


def serving_revision(app: Mapping[str, Any], last_good: str = "") -> str:
    """The revision that has the traffic. With several the heaviest, the last good one among equals."""
    properties = app.get("properties") or {}
    configuration = properties.get("configuration") or {}
    newest = str(properties.get("latestReadyRevisionName") or properties.get("latestRevisionName") or "")
    if str(configuration.get("activeRevisionsMode") or "Single").lower() == "single":
        return newest
    entries = normalise.traffic((configuration.get("ingress") or {}).get("traffic"))
    weights = {newest if entry["name"] == normalise.LATEST else entry["name"]: entry["weight"] for entry in entries}
    if not weights:
        return last_good or newest
    best = max(weights.values())
    heaviest = [name for name, weight in weights.items() if weight == best]
    return last_good if last_good in heaviest else heaviest[0]


def served_body(app: Mapping[str, Any], revision: Mapping[str, Any] | None, serving: str) -> Body:
    """What runs, in the shape of a wanted body: the app's configuration with the template of the serving revision.

    Traffic that all goes to that revision is written as SERVING; a deactivated one is marked, since it serves nothing.
    """
    properties = copy.deepcopy(dict(app.get("properties") or {}))
    seen = (revision or {}).get("properties") or {}
    if seen.get("template"):
        properties["template"] = seen["template"]
    ingress = (properties.get("configuration") or {}).get("ingress")
    if ingress and normalise.traffic(ingress.get("traffic")) == [{"name": serving, "weight": 100}]:
        ingress["traffic"] = [{"revisionName": SERVING, "weight": 100}]
    if revision is not None and seen.get("active") is False:
        properties["deactivated"] = True
    return {"location": app.get("location"), "identity": app.get("identity"), "properties": properties}


def weighted_revisions(app: Mapping[str, Any]) -> set[str]:
    """The names of all revisions that get traffic by name."""
    configuration = (app.get("properties") or {}).get("configuration") or {}
    entries = normalise.traffic((configuration.get("ingress") or {}).get("traffic"))
    return {entry["name"] for entry in entries} - {normalise.LATEST}


def makes_revision(paths: Iterable[str]) -> bool:
    """True if a change of these fields takes a new revision: running replicas keep their template and their secrets."""
    prefixes = (
        "properties.template",
        "properties.workloadProfileName",
        "properties.configuration.secrets",
        "tags.polycloud-secrets",
    )
    return any(path.startswith(prefixes) for path in paths)

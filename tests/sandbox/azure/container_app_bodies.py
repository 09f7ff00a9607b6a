# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a container app: the defaults that Azure fills in, and what it shows of it."""

from __future__ import annotations

import copy

from tests.sandbox.azure.arm import LOCATIONS, Json
from tests.sandbox.azure.container_app_machine import ContainerAppMachine
from tests.sandbox.azure.replica import Replica
from tests.sandbox.azure.revision import Revision
from tests.sandbox.azure.service import tracked
from tests.sandbox.azure.world import Resource

OUTBOUND = ["203.0.113.10"]


def fill(properties: Json, has_profiles: bool) -> None:
    """Add to a new app's properties what Azure adds.

    Source: answers of the real service in public reports; properties that are not set come back as null.
    """
    properties["environmentId"] = properties.get("environmentId") or properties.get("managedEnvironmentId")
    properties["managedEnvironmentId"] = properties["environmentId"]
    properties["workloadProfileName"] = properties.get("workloadProfileName") or (
        "Consumption" if has_profiles else None
    )
    configuration = properties.setdefault("configuration", {})
    mode = configuration.get("activeRevisionsMode", "Single")
    configuration["activeRevisionsMode"] = "Multiple" if mode.lower() == "multiple" else "Single"
    configuration.setdefault("maxInactiveRevisions", 100)
    configuration.setdefault("identitySettings", [])
    for name in ("secrets", "registries", "dapr", "service", "runtime", "ingress"):
        configuration.setdefault(name, None)
    if configuration["ingress"] is not None:
        _fill_ingress(configuration["ingress"])
    fill_template(properties.setdefault("template", {}))


def _fill_ingress(ingress: Json) -> None:
    defaults: Json = {
        "external": False,
        "exposedPort": 0,
        "transport": "Auto",
        "allowInsecure": False,
        "traffic": [{"weight": 100, "latestRevision": True}],
    }
    for name in ("customDomains", "ipSecurityRestrictions", "corsPolicy", "clientCertificateMode", "stickySessions"):
        defaults[name] = None
    defaults["additionalPortMappings"] = None
    for name, value in defaults.items():
        if ingress.get(name) is None:
            ingress[name] = value


def fill_template(template: Json) -> None:
    """Add the defaults of a template."""
    for name in ("initContainers", "volumes", "serviceBinds", "terminationGracePeriodSeconds"):
        template.setdefault(name, None)
    template.setdefault("revisionSuffix", "")
    scale = template.setdefault("scale", {})
    defaults = {"minReplicas": None, "maxReplicas": 10, "cooldownPeriod": 300, "pollingInterval": 30, "rules": None}
    for name, value in defaults.items():
        scale.setdefault(name, value)
    for container in [*(template.get("containers") or []), *(template["initContainers"] or [])]:
        container["imageType"] = "ContainerImage"
        resources = container.setdefault("resources", {})
        resources.setdefault("cpu", 0.5)
        resources.setdefault("memory", "1Gi")
        resources["ephemeralStorage"] = _ephemeral_storage(resources["cpu"])
        container.setdefault("probes", [])


def _ephemeral_storage(cpu: float) -> str:
    for limit, size in ((0.25, "1Gi"), (0.5, "2Gi"), (1.0, "4Gi")):
        if cpu <= limit:
            return size
    return "8Gi"


def same_template(one: Json, other: Json) -> bool:
    """Say whether two filled templates are the same; a template without suffix keeps the one that it has."""
    first, second = dict(one), dict(other)
    if not second.get("revisionSuffix"):
        first.pop("revisionSuffix", None)
        second.pop("revisionSuffix", None)
    return first == second


def show_app(resource: Resource) -> Json:
    """Return an app as Azure gives it back: no secret values, the display name of the region."""
    machine: ContainerAppMachine = resource.machine
    shown = tracked(resource, LOCATIONS[resource.body["location"]])
    properties = copy.deepcopy(resource.body["properties"])
    configuration = properties["configuration"]
    if configuration["secrets"] is not None:
        kept = ("name", "keyVaultUrl", "identity")
        configuration["secrets"] = [
            {key: entry[key] for key in kept if key in entry} for entry in configuration["secrets"]
        ]
    if configuration["ingress"] is not None:
        configuration["ingress"]["fqdn"] = machine.fqdn
    latest, ready = machine.latest, machine.latest_ready
    properties.update(
        provisioningState=machine.provisioning_state,
        runningStatus="Stopped" if machine.stopped else "Progressing" if machine.busy else "Running",
        latestRevisionName=latest.name if latest else None,
        latestReadyRevisionName=ready.name if ready else None,
        latestRevisionFqdn=latest.fqdn if latest else "",
        customDomainVerificationId="0" * 64,
        outboundIpAddresses=OUTBOUND,
        eventStreamEndpoint="",
    )
    shown["identity"] = resource.body.get("identity") or {"type": "None"}
    return {**shown, "systemData": resource.system_data(), "properties": properties}


def show_revision(app: Resource, revision: Revision) -> Json:
    """Return a revision as Azure gives it back."""
    machine: ContainerAppMachine = app.machine
    identifier = app.id.child("revisions", revision.name)
    properties: Json = {
        "createdTime": revision.created,
        "lastActiveTime": revision.last_active,
        "fqdn": revision.fqdn,
        "template": copy.deepcopy(revision.template),
        "active": revision.active,
        "replicas": len(revision.replicas),
        "trafficWeight": machine.traffic().get(revision.name, 0),
        "healthState": revision.health_state,
        "provisioningState": revision.provisioning,
        "runningState": "Stopped" if machine.stopped and revision.active else revision.running_state,
    }
    if revision.error:
        properties["provisioningError"] = revision.error
    return {"id": str(identifier), "name": revision.name, "type": identifier.type, "properties": properties}


def show_replica(app: Resource, revision: Revision, replica: Replica) -> Json:
    """Return a replica as Azure gives it back."""
    identifier = app.id.child("revisions", revision.name, "replicas", replica.name)
    containers = []
    for described in revision.template["containers"]:
        run = next((run for run in replica.runs if run.name == described["name"]), None)
        containers.append(
            {
                "name": described["name"],
                "containerId": f"containerd://{replica.name}-{described['name']}",
                "ready": bool(run and run.ready),
                "started": bool(run and run.started),
                "restartCount": run.restart_count if run else 0,
                "runningState": run.phase if run else "Waiting",
                "runningStateDetails": (run.detail if run else "") or replica.details,
            }
        )
    properties = {
        "createdTime": replica.created,
        "runningState": "Running" if replica.ready else "NotRunning",
        "runningStateDetails": replica.details,
        "containers": containers,
        "initContainers": [],
    }
    return {"id": str(identifier), "name": replica.name, "type": identifier.type, "properties": properties}

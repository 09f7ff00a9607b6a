# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One replica of a revision: an address, its containers, and the GPU that it waits for or holds."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.sandbox.azure.arm import Json, now_text
from tests.sandbox.azure.containers import ContainerRun, ollama_index, server_port
from tests.sandbox.azure.gpus import gpus_in_use
from tests.sandbox.azure.mounts import mount_problem
from tests.sandbox.azure.probes import ProbeSpec, probe_fields
from tests.sandbox.azure.world import Resource, World
from tests.sandbox.runtime import WorkloadSpec, image_faults
from tests.sandbox.sidecars import is_sidecar

# Probes that Azure adds where there is an ingress and the container has none of that kind.
DEFAULT_PROBES: dict[str, dict[str, Any]] = {
    "Startup": {"period": 1.0, "timeout": 3.0, "failures": 240},
    "Liveness": {"period": 10.0, "timeout": 1.0, "failures": 3},
    "Readiness": {"period": 5.0, "timeout": 5.0, "failures": 48},
}


@dataclass(frozen=True)
class ReplicaPlan:
    """What a revision's replicas are made of. ``secrets`` is the app's own map: a replica reads it when it starts."""

    revision: str
    location: str
    template: Json
    target_port: int | None
    environment: Resource
    gpu: bool
    secrets: Mapping[str, str]


class Replica:
    """A replica; it is ``assigned`` once it has a place to run."""

    def __init__(self, world: World, plan: ReplicaPlan) -> None:
        self._world, self._plan = world, plan
        self.name = f"{plan.revision}-{secrets.token_hex(5)}-{secrets.token_hex(3)[:5]}"
        self.created = now_text()
        self.assigned = False
        self.mount_problem: str | None = None
        self.runs: list[ContainerRun] = []
        self.address: str | None = None

    @property
    def ready(self) -> bool:
        """Say whether it may receive requests."""
        return bool(self.runs) and all(run.ready for run in self.runs)

    @property
    def started(self) -> bool:
        """Say whether all containers have passed their startup probes."""
        return bool(self.runs) and all(run.started for run in self.runs)

    @property
    def behind_sidecar(self) -> bool:
        """Say whether a sidecar stands in front of its Ollama."""
        containers = self._plan.template["containers"]
        return any(is_sidecar(_environment(container, self._plan.secrets)) for container in containers)

    @property
    def gpus_held(self) -> int:
        """Return how many GPUs it takes away from the region."""
        return int(self.assigned and self._plan.gpu)

    @property
    def failure(self) -> tuple[str, str] | None:
        """Return (running state of the revision, message) where it cannot become ready."""
        if self.mount_problem is not None:
            return "ActivationFailed", f"VolumeMountFailure: {self.mount_problem}"
        for run in self.runs:
            if run.pull_failed:
                value = (
                    f'Invalid value: "{run.image}": GET manifest: MANIFEST_UNKNOWN: manifest tagged by it is not found'
                )
                return "Failed", (
                    "The following field(s) are either invalid or missing. Field "
                    f"'template.containers.{run.name}.image' is invalid with details: '{value}';."
                )
            if run.restart_count >= 3 and not run.ready:
                return "Failed", f"Container crashing: {run.name}"
        return None

    @property
    def details(self) -> str:
        """Return why it does not run, or an empty text."""
        if not self.assigned:
            return self.mount_problem or "AssigningReplica: no GPU of the workload profile is available yet."
        return next((run.detail for run in self.runs if run.detail), "")

    def tick(self, now: float) -> None:
        """Take the next step."""
        if not self.assigned:
            self._assign()
        for run in self.runs:
            run.tick(now)

    def halt(self) -> list[Future[Any]]:
        """Stop all containers; the address is free when they have ended."""
        ends = [future for future in (run.halt() for run in self.runs) if future is not None]
        if self.address is not None:
            self._world.release_after(self.address, ends)
            self.address = None
        self.assigned, self.runs = False, []
        return ends

    def _assign(self) -> None:
        if self._plan.gpu:
            used = gpus_in_use(self._world, self._plan.location)
            if self._world.switch.gpu_stockout(used, 1) or self._world.switch.over_quota(used, 1):
                return
        self.mount_problem = _mount_problem(self._world, self._plan)
        if self.mount_problem is None:
            self.assigned, self.address = True, self._world.runtime.allocate_address("replica")
            self.runs = self._make_runs()

    def _make_runs(self) -> list[ContainerRun]:
        containers = self._plan.template["containers"]
        environments = [_environment(container, self._plan.secrets) for container in containers]
        described = [(container["image"], env, ()) for container, env in zip(containers, environments, strict=True)]
        ollama = ollama_index(described)
        sidecar = next((index for index, environment in enumerate(environments) if is_sidecar(environment)), None)
        front = ollama if sidecar is None else sidecar
        runs = []
        for index, container in enumerate(containers):
            make_spec = partial(self._workload, index) if index in (ollama, sidecar) else None
            port = self._plan.target_port if index == front else None
            runs.append(
                ContainerRun(
                    self._world, container["name"], container["image"], make_spec, "Always", probes(container, port)
                )
            )
        # A faulty init container keeps the replica from ever being ready; a good one has ended at once.
        inits = self._plan.template.get("initContainers") or []
        faulty = [init for init in inits if image_faults(init.get("image", "")) & {"crash", "missing"}]
        runs.extend(ContainerRun(self._world, init["name"], init["image"], None) for init in faulty)
        return runs

    def _workload(self, index: int) -> WorkloadSpec:
        container = self._plan.template["containers"][index]
        environment = _environment(container, self._plan.secrets)
        return WorkloadSpec(
            image=container["image"],
            environment=environment,
            address=str(self.address),
            port=server_port(environment),
            gpu=self._plan.gpu,
            name=f"{self.name}/{container['name']}",
            files=_secret_files(self._plan.template, container, self._plan.secrets),
        )


def probes(container: Json, ingress_port: int | None) -> Sequence[ProbeSpec]:
    """Return a container's probes, with those that Azure adds for the target of the ingress."""
    found = [ProbeSpec(kind=probe["type"], **probe_fields(probe)) for probe in container.get("probes") or []]
    if ingress_port is not None:
        given = {probe.kind for probe in found}
        for kind, settings in DEFAULT_PROBES.items():
            if kind not in given:
                found.append(ProbeSpec(kind=kind, action="tcp", port=ingress_port, **settings))
    return found


def _environment(container: Json, secret_values: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for entry in container.get("env") or []:
        reference = entry.get("secretRef")
        found[entry["name"]] = secret_values.get(reference, "") if reference else str(entry.get("value") or "")
    return found


def _secret_files(template: Json, container: Json, secret_values: Mapping[str, str]) -> dict[str, str]:
    files = {}
    volumes = {volume["name"]: volume for volume in template.get("volumes") or []}
    for mount in container.get("volumeMounts") or []:
        volume = volumes[mount["volumeName"]]
        if volume.get("storageType") != "Secret":
            continue
        items = volume.get("secrets") or [{"secretRef": name} for name in secret_values]
        for item in items:
            path = item.get("path") or item["secretRef"]
            files[f"{mount['mountPath'].rstrip('/')}/{path}"] = secret_values.get(item["secretRef"], "")
    return files


def _mount_problem(world: World, plan: ReplicaPlan) -> str | None:
    for volume in plan.template.get("volumes") or []:
        if volume.get("storageType") not in ("AzureFile", "NfsAzureFile"):
            continue
        storage = world.get(plan.environment.id.child("storages", volume["storageName"]))
        if storage is None:
            return f"the storage '{volume['storageName']}' is not defined in the environment"
        properties = storage.body["properties"]
        if "nfsAzureFile" in properties:
            share = properties["nfsAzureFile"]
            account, _slash, name = share["shareName"].strip("/").partition("/")
            problem = mount_problem(world, account, name, None, "NFS")
        else:
            share = properties["azureFile"]
            problem = mount_problem(world, share["accountName"], share["shareName"], share.get("accountKey"))
        if problem is not None:
            return problem
    return None

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container group as it runs: an address, its containers, and the states that Azure shows of them."""

from __future__ import annotations

import base64
from concurrent.futures import Future
from functools import partial
from typing import Any

from tests.sandbox.azure.arm import Json
from tests.sandbox.azure.container_group_rules import gpu_requests
from tests.sandbox.azure.containers import ContainerRun, new_event, ollama_index, server_port
from tests.sandbox.azure.gpus import gpus_in_use
from tests.sandbox.azure.mounts import mount_problem
from tests.sandbox.azure.operations import Operation
from tests.sandbox.azure.probes import ProbeSpec, probe_fields
from tests.sandbox.azure.world import Resource, World
from tests.sandbox.runtime import WorkloadSpec, image_faults
from tests.sandbox.sidecars import is_sidecar

IN_TRANSITION = ("Pending", "Creating", "Stopping", "Deleting")


class ContainerGroupMachine:
    """The running side of one container group."""

    def __init__(self, world: World, resource: Resource) -> None:
        self._world, self._resource = world, resource
        self.provisioning_state = "Pending"
        self.runs: list[ContainerRun] = []
        self.events: list[Json] = []
        self.stopped = False
        self.gpus_held = 0
        self.ip: str | None = None
        self._operation: Operation | None = None
        self._begun = 0.0
        self._ending: list[Future[Any]] = []

    # What others read

    @property
    def location(self) -> str:
        """Return the region."""
        return str(self._resource.body["location"])

    @property
    def in_transition(self) -> bool:
        """Say whether Azure would ask to retry later."""
        return self.provisioning_state in IN_TRANSITION

    @property
    def state(self) -> str:
        """Return the state of the group's instance view."""
        if self.stopped:
            return "Stopped"
        if self.provisioning_state in ("Pending", "Creating"):
            return "Pending"
        if self.runs and all(run.ended for run in self.runs):
            return "Succeeded" if all(run.exit_code == 0 for run in self.runs) else "Failed"
        return "Failed" if self.provisioning_state == "Failed" else "Running"

    @property
    def updatable(self) -> bool:
        """Say whether a PUT may replace the body: not when stopped, and not when all containers have ended."""
        ended = bool(self.runs) and all(run.ended for run in self.runs)
        return not self.stopped and not (ended and self.provisioning_state == "Succeeded")

    def run_of(self, container: str) -> ContainerRun | None:
        """Return a container by name."""
        return next((run for run in self.runs if run.name == container), None)

    # What requests do

    def deploy(self, operation: Operation | None) -> None:
        """Stop what runs and start all containers from the stored body."""
        self._abandon()
        self.provisioning_state, self.stopped, self._operation = "Pending", False, operation
        self.events = []

    def halt(self) -> None:
        """Stop all containers and give the address back, as the stop action does."""
        self._abandon(keep_address=False)
        self.provisioning_state = "Stopping"

    def delete(self, operation: Operation) -> None:
        """Stop for good; the resource goes when the processes have ended."""
        self._abandon(keep_address=False)
        self.provisioning_state, self._operation = "Deleting", operation

    def stop(self) -> None:
        """Stop because the sandbox is reset."""
        self._abandon(keep_address=False)

    def _abandon(self, keep_address: bool = True) -> None:
        for run in self.runs:
            future = run.halt()
            if future is not None:
                self._ending.append(future)
            run.finish(0, "Killed")
        if not keep_address and self.ip is not None:
            self._world.release_after(self.ip, self._ending)
            self.ip = None
        self.gpus_held = 0
        if self._operation is not None:
            self._operation.fail("Canceled", "Another operation took its place.", "Canceled")
            self._operation = None

    # What the scheduler does

    def tick(self, now: float) -> None:
        """Take the next step."""
        if any(not future.done() for future in self._ending):
            return
        self._ending = []
        if self.provisioning_state == "Deleting":
            self._settle()
            self._world.remove(self._resource.id)
        elif self.provisioning_state == "Stopping":
            self.provisioning_state, self.stopped = "Succeeded", True
        elif self.provisioning_state == "Pending":
            self._begin(now)
        elif not self.stopped:
            for run in self.runs:
                run.tick(now)
            if self.provisioning_state == "Creating":
                self._watch_start(now)

    def _begin(self, now: float) -> None:
        problem = self._mount_problem()
        wanted = sum(request["count"] for request in gpu_requests(self._resource.body["properties"]))
        if problem is not None:
            self._fail("FailedMount", "AzureFileVolumeMountFailed", f"Failed to mount Azure File Volume: {problem}.")
            return
        if wanted and self._world.switch.gpu_stockout(gpus_in_use(self._world, self.location), wanted):
            message = f"The requested resource is not available in the location '{self.location}' at this moment."
            self._fail("FailedScheduling", "ServiceUnavailable", message)
            return
        self.gpus_held = wanted
        if self.ip is None:
            self.ip = self._world.runtime.allocate_address("aci")
        self._begun, self.provisioning_state = now, "Creating"
        self.runs = self._make_runs()

    def _watch_start(self, now: float) -> None:
        faults = [
            (container["name"], container["properties"].get("image", ""))
            for container in self._resource.body["properties"]["initContainers"]
            if image_faults(container["properties"].get("image", "")) & {"missing", "crash"}
        ]
        pulls = [(run.name, run.image) for run in self.runs if run.pull_failed]
        if pulls or faults:
            name, image = (pulls or faults)[0]
            message = f"The image '{image}' in container group '{self._resource.id.name}' is not accessible or fails."
            self._fail("Failed", "InaccessibleImage", f"{message} Container '{name}'.")
        elif now - self._begun >= self._world.timing.operation and all(run.started_text for run in self.runs):
            self.provisioning_state = "Succeeded"
            self._settle()

    def _fail(self, event: str, code: str, message: str) -> None:
        self.events.append(new_event(event, message, "Warning"))
        self.provisioning_state = "Failed"
        if self._operation is not None:
            self._operation.fail(code, message)
            self._operation = None

    def _settle(self) -> None:
        if self._operation is not None:
            self._operation.succeed()
            self._operation = None

    # From the body to what runs

    def _mount_problem(self) -> str | None:
        for volume in self._resource.body["properties"].get("volumes") or []:
            share = volume.get("azureFile")
            if share is not None:
                key = share.get("storageAccountKey")
                problem = mount_problem(self._world, share["storageAccountName"], share["shareName"], key)
                if problem is not None:
                    return problem
        return None

    def _make_runs(self) -> list[ContainerRun]:
        properties = self._resource.body["properties"]
        containers = properties["containers"]
        environments = [_environment(container["properties"]) for container in containers]
        ports = [[port["port"] for port in container["properties"]["ports"]] for container in containers]
        images = [container["properties"]["image"] for container in containers]
        ollama = ollama_index(list(zip(images, environments, ports, strict=True)))
        runs = []
        for index, container in enumerate(containers):
            runs_here = index == ollama or is_sidecar(environments[index])
            spec = self._workload(container, environments[index]) if runs_here else None
            make_spec = None if spec is None else partial(_same, spec)
            runs.append(
                ContainerRun(
                    self._world,
                    container["name"],
                    images[index],
                    make_spec,
                    properties["restartPolicy"],
                    _probes(container["properties"]),
                    # A group has no grace period that could be set.
                    drains=False,
                )
            )
        return runs

    def _workload(self, container: Json, environment: dict[str, str]) -> WorkloadSpec:
        properties = self._resource.body["properties"]
        return WorkloadSpec(
            image=container["properties"]["image"],
            environment=environment,
            address=str(self.ip),
            port=server_port(environment),
            gpu=bool(container["properties"]["resources"]["requests"].get("gpu")),
            name=f"{self._resource.id.name}/{container['name']}",
            files=_secret_files(properties.get("volumes") or [], container["properties"]),
        )


def _same(spec: WorkloadSpec) -> WorkloadSpec:
    return spec


def _environment(settings: Json) -> dict[str, str]:
    """Return a container's environment with secure values in place."""
    variables = settings["environmentVariables"]
    # A reference into Key Vault cannot be followed here; the variable exists and names the reference.
    keys = ("value", "secureValue", "secureValueReference")
    return {entry["name"]: next(str(entry[key]) for key in keys if entry.get(key) is not None) for entry in variables}


def _secret_files(volumes: list[Json], settings: Json) -> dict[str, str]:
    secrets = {volume["name"]: volume["secret"] for volume in volumes if volume.get("secret")}
    return {
        f"{mount['mountPath'].rstrip('/')}/{name}": base64.b64decode(value).decode("utf-8", "replace")
        for mount in settings.get("volumeMounts") or []
        for name, value in secrets.get(mount["name"], {}).items()
    }


def _probes(settings: Json) -> list[ProbeSpec]:
    found = []
    for key, kind in (("livenessProbe", "Liveness"), ("readinessProbe", "Readiness")):
        if settings.get(key):
            found.append(ProbeSpec(kind=kind, **probe_fields(settings[key])))
    return found

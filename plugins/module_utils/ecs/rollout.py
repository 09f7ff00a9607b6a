# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service deployments: find the one of a release, watch it, let it go on or roll it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..clients.aws import Aws
from ..errors import ApiError, NoCapacity, RolloutFailed
from ..resource import Found
from ..waiting import Look, Waiter
from . import normalise
from .service import ServiceKind, in_flight, primary, running_release
from .tasks import Tasks, no_room, of_release, verdict

ONGOING = ("PENDING", "IN_PROGRESS")
GIVEN_UP = ("STOPPED", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
ROLLING_BACK = ("STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
# How long a deployment that an UpdateService started may take to be listed.
LISTED_SECONDS = 60


class Emit(Protocol):
    def __call__(self, source: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds. total: the whole rollout. placement: how long nothing may be placed before we give up."""

    total: float
    placement: float


class Rollouts:
    """The rollouts of one service. Tells what happens as events."""

    def __init__(self, aws: Aws, waiter: Waiter, kind: ServiceKind, name: str, emit: Emit, limits: Limits) -> None:
        self._aws = aws
        self._waiter = waiter
        self._kind = kind
        self._name = name
        self._emit = emit
        self._limits = limits
        self._told: set[str] = set()
        self._old: frozenset[str] = frozenset()
        self.tasks = Tasks(aws, kind.cluster, name)

    # ---- finding

    def newest(self) -> dict[str, Any] | None:
        """The newest service deployment, None for a service older than that feature."""
        answer = self._aws.call("ecs", "list_service_deployments", cluster=self._kind.cluster, service=self._name)
        briefs = sorted(answer["serviceDeployments"], key=lambda brief: brief["createdAt"], reverse=True)
        return self.read(briefs[0]["serviceDeploymentArn"]) if briefs else None

    def read(self, arn: str) -> dict[str, Any] | None:
        """One service deployment with its hooks."""
        answer = self._aws.call("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])
        found: list[dict[str, Any]] = answer["serviceDeployments"]
        return found[0] if found else None

    def started(self, service: Found) -> dict[str, Any]:
        """The deployment that the call which answered this service started."""
        release = running_release(service.raw)
        current = service.raw.get("currentServiceDeployment")
        record = self.read(current) if current else None
        if record is not None and self.release_of(record) == release:
            return record

        def look() -> Look[dict[str, Any]]:
            record = self.newest()
            if record is None:
                return Look(None, "none listed")
            target = self.release_of(record)
            ours = target == release and record["status"] not in ("STOPPED", "ROLLBACK_SUCCESSFUL")
            return Look(record if ours else None, f"the newest one is of {target} and {record['status']}")

        return self._waiter.until(f"the service deployment of {release} to be listed", LISTED_SECONDS, look)

    def release_of(self, record: Mapping[str, Any]) -> str:
        """C(family:revision) that a deployment brings."""
        return self._release(record["targetServiceRevision"]["arn"])

    def source_of(self, record: Mapping[str, Any]) -> str:
        """C(family:revision) that a deployment replaces, empty for the first one."""
        sources = [item["arn"] for item in record.get("sourceServiceRevisions", ())]
        return self._release(sources[0]) if sources else ""

    def _release(self, revision: str) -> str:
        answer = self._aws.call("ecs", "describe_service_revisions", serviceRevisionArns=[revision])
        revisions = answer["serviceRevisions"]
        return str(normalise.revision_of(revisions[0]["taskDefinition"])) if revisions else ""

    # ---- watching

    def wait_ready(self, record: Mapping[str, Any] | None, release: str) -> None:
        """Wait until the release is up: its deployment is paused for us, or done with all tasks running."""
        began = self._waiter.clock()

        def look() -> Look[bool]:
            current = self.read(record["serviceDeploymentArn"]) if record else None
            service = self._service()
            self._tell(service)
            if current is not None and paused_hook(current):
                self._emit("ECS", f"release {release} is up and waits behind the pause")
                return Look(True)
            self._fail_if_given_up(current)
            self._fail_if_hopeless(service, release, self._waiter.clock() - began)
            done = current is None or current["status"] == "SUCCESSFUL"
            if done and _complete(service, current is None):
                return Look(True)
            return Look(None, _seen(current, service))

        self._waiter.until(f"release {release} to be up", self._limits.total, look)

    def _fail_if_given_up(self, record: Mapping[str, Any] | None) -> None:
        if record is not None and (record["status"] in GIVEN_UP or record["status"] == "ROLLBACK_FAILED"):
            reason = record.get("statusReason") or "no reason given"
            raise RolloutFailed(f"ECS gave the deployment up ({record['status']}): {reason}{self._last_stop(record)}")

    def _last_stop(self, record: Mapping[str, Any]) -> str:
        release = self.release_of(record)
        stopped = [task for task in self.tasks.stopped() if running_release_of(task) == release]
        why = verdict(stopped)
        return f" ({why})" if why else ""

    def _fail_if_hopeless(self, service: Mapping[str, Any], release: str, waited: float) -> None:
        newest = primary(service)
        if newest.get("runningCount", 0) >= service["desiredCount"]:
            return
        stopped = of_release(self.tasks.stopped(), newest["taskDefinition"], newest["id"])
        why = verdict([task for task in stopped if task.get("startedBy") == newest["id"]])
        if why:
            raise RolloutFailed(f"Release {release} does not come up: {why}")
        blocked = self._no_room(service)
        if blocked and waited >= self._limits.placement:
            raise NoCapacity(
                f"No room for release {release} after {waited:.0f} s: {blocked.rstrip('.')}.",
                hint="Ask for a higher quota of the GPU family's vCPUs, add capacity or another instance type to the "
                "capacity provider, or use update.strategy: stop_first where only one GPU is there.",
            )

    def _service(self) -> dict[str, Any]:
        return dict(self._kind.require(self._name).raw)

    def _tell(self, service: Mapping[str, Any]) -> None:
        """Show the service events that are new, oldest first."""
        events = service.get("events", ())
        for event in reversed(events):
            if event["id"] not in self._told:
                self._told.add(event["id"])
                self._emit("ECS", str(event["message"]))

    def learn(self, service: Mapping[str, Any]) -> None:
        """Take the events there are as old news: not told, and no reason to give up."""
        self._old |= {event["id"] for event in service.get("events", ())}
        self._told |= self._old

    def _no_room(self, service: Mapping[str, Any]) -> str:
        return no_room(event for event in service.get("events", ()) if event["id"] not in self._old)

    # ---- deciding

    def proceed(self, record: Mapping[str, Any]) -> None:
        """Let a paused deployment go on, and wait until it is done."""
        self._answer(record, "CONTINUE")
        self._until_over(record["serviceDeploymentArn"], ("SUCCESSFUL",))

    def roll_back(self, record: Mapping[str, Any]) -> None:
        """Return from a deployment under way to what was before, and wait for it. One that is over is left."""
        arn = record["serviceDeploymentArn"]
        current = self.read(arn)
        if current is None or current["status"] not in (*ONGOING, *ROLLING_BACK):
            return
        if current["status"] in ONGOING:
            self._emit("ECS", "roll back to the former release")
            if not self._answer(current, "ROLLBACK"):
                self._stop(arn)
        self._until_over(arn, ("ROLLBACK_SUCCESSFUL", "STOPPED"))

    def settle(self, found: Found) -> bool:
        """Roll back a deployment that an earlier run left under way; False where there is none to return from."""
        record = self.newest()
        if record is None or record["status"] not in (*ONGOING, *ROLLING_BACK):
            return False
        if not record.get("sourceServiceRevisions"):
            return False
        self._emit("ECS", "an earlier run left a deployment under way: roll it back first")
        self.roll_back(record)
        return True

    def pass_through(self, service: Found) -> None:
        """Bring the deployment just started to its end without a verdict of ours: a rollback, or one without tasks."""
        record = self.started(service)
        self.wait_ready(record, running_release(service.raw))
        current = self.read(record["serviceDeploymentArn"])
        if current is not None and paused_hook(current):
            self.proceed(current)

    def _answer(self, record: Mapping[str, Any], action: str) -> bool:
        hook = paused_hook(record)
        if hook is None:
            return False
        arn = record["serviceDeploymentArn"]
        call = {"serviceDeploymentArn": arn, "hookId": hook, "action": action}
        try:
            self._aws.call("ecs", "continue_service_deployment", **call)
        except ApiError as error:
            # A retry after a lost answer finds that the first try was heard.
            if error.code != "InvalidParameterException" or paused_hook(self.read(arn) or record) is not None:
                raise
        return True

    def _stop(self, arn: str) -> None:
        try:
            self._aws.call("ecs", "stop_service_deployment", serviceDeploymentArn=arn, stopType="ROLLBACK")
        except ApiError as error:
            # It ended by itself between our look and our call.
            if error.code not in ("ConflictException", "InvalidParameterException"):
                raise

    def _until_over(self, arn: str, wanted: Sequence[str]) -> None:
        def look() -> Look[bool]:
            record = self.read(arn)
            service = self._service()
            self._tell(service)
            if record is None:
                return Look(True)
            if record["status"] in wanted:
                return Look(True)
            over = record["status"] not in (*ONGOING, *ROLLING_BACK)
            if over or ("SUCCESSFUL" in wanted and record["status"] in ROLLING_BACK):
                reason = record.get("statusReason") or "no reason given"
                raise RolloutFailed(f"The deployment ended as {record['status']}: {reason}")
            return Look(None, _seen(record, service))

        self._waiter.until(f"the deployment to be {' or '.join(wanted)}", self._limits.total, look)

    def until_stopped(self) -> None:
        """Wait until no task of the service runs; one that is still stopping holds its GPU."""

        def look() -> Look[bool]:
            service = self._service()
            self._tell(service)
            left = service["runningCount"] + service["pendingCount"]
            if left == 0:
                left = sum(task["lastStatus"] != "STOPPED" for task in self.tasks.stopped())
            return Look(True if left == 0 else None, f"{left} task(s) left")

        self._waiter.until("all tasks to stop", self._limits.total, look)

    def until_steady(self) -> None:
        """Wait until the service has one deployment and all its tasks run."""

        def look() -> Look[bool]:
            service = self._service()
            self._tell(service)
            steady = not in_flight(service) and _complete(service, False)
            return Look(True if steady else None, _seen(None, service))

        self._waiter.until("the service to be steady", self._limits.total, look)


def paused_hook(record: Mapping[str, Any]) -> str | None:
    """The id of the pause that a deployment waits behind."""
    if record["status"] != "IN_PROGRESS":
        return None
    for hook in record.get("lifecycleHookDetails", ()):
        if hook.get("targetType") == "PAUSE" and hook["status"] == "AWAITING_ACTION":
            return str(hook["hookId"])
    return None


def running_release_of(task: Mapping[str, Any]) -> str:
    """C(family:revision) of a task."""
    return str(normalise.revision_of(task.get("taskDefinitionArn", "")))


def _complete(service: Mapping[str, Any], by_state: bool) -> bool:
    """The wanted tasks of the newest deployment run, and no more: one that scales in still answers, for a moment.

    by_state: ECS must also call the deployment completed.
    """
    newest = primary(service)
    enough = newest.get("runningCount", 0) == service["desiredCount"] and not newest.get("pendingCount")
    return bool(enough and (not by_state or newest.get("rolloutState", "COMPLETED") == "COMPLETED"))


def _seen(record: Mapping[str, Any] | None, service: Mapping[str, Any]) -> str:
    newest = primary(service)
    counts = f"{newest.get('runningCount', 0)} of {service['desiredCount']} task(s) running"
    counts += f", {newest.get('pendingCount', 0)} pending, {newest.get('failedTasks', 0)} failed"
    if record is not None:
        counts = f"{record['status']} at {record.get('lifecycleStage', 'the start')}, {counts}"
    blocked = no_room(service.get("events", ()))
    return f"{counts}; {blocked}" if blocked else counts

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive one deployment on ECS: what the reconciler asks of a platform."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..clients.aws import Aws, tag_list
from ..deployment.endpoint import endpoint_url
from ..deployment.environment import MODELS_VARIABLE, parse_models
from ..deployment.hardening import Posture
from ..deployment.model import Deployment, Model
from ..deployment.sidecar import sidecar_image_among
from ..errors import Refused, RolloutFailed
from ..plan import Change
from ..platform import Observed, Platform, Rollout, Target
from ..release import CONFIG_HASH, DEPLOYMENT, RECORD_TAGS, Record
from ..resource import Found, Kind, Wanted, gather
from ..waiting import Waiter
from .advice import advice
from .capabilities import CAPABILITIES
from .containers import CONTAINER, unserved
from .hardening import posture
from .options import EcsPlatform
from .resources import ClusterKind, LogGroupKind, TaskDefinitionKind
from .rollout import Emit, Limits, Rollouts
from .scaling import BOUNDS_TAG, ScalableTarget, from_tag, to_tag
from .service import DEPLOYING, ServiceKind, in_flight, primary, running_release
from .strategy import update_strategy
from .tasks import address, is_running, of_release
from .translate import CLUSTER, LOG_GROUP, SERVICE, TASK_DEFINITION, Names, bundle

# Members of a service that make a release, so that an abandoned one has to put them back.
RELEASING = frozenset({*DEPLOYING, "capacityProviderStrategy"})
# One page of a family's history is looked at when pruning.
PRUNE_PAGE = 100


class Ecs(Platform):
    """One deployment on ECS in one region.

    state: the module's; with C(absent) what remains of a half deleted deployment is looked for as well.
    """

    capabilities = CAPABILITIES
    carriers = (TASK_DEFINITION, SERVICE)

    def __init__(
        self,
        deployment: Deployment[EcsPlatform],
        aws: Aws,
        emit: Emit,
        *,
        state: str = "present",
        waiter: Waiter | None = None,
    ) -> None:
        self.deployment = deployment
        self._aws = aws
        self._emit = emit
        self._absent = state == "absent"
        self._names = Names.of(deployment)
        self._bundle = bundle(deployment, aws.region)
        self._waiter = waiter or Waiter()
        self._make_kinds()
        limits = Limits(total=deployment.update.timeout, placement=deployment.health.startup_timeout)
        self._rollouts = Rollouts(aws, self._waiter, self._service, self._names.service, emit, limits)
        self._service.deployments = self._rollouts
        self._scalable = ScalableTarget(aws, self._names.cluster, self._names.service)
        self._arn = ""

    def _make_kinds(self) -> None:
        bodies = {wanted.key: wanted.body for wanted in self._bundle}
        self._cluster = ClusterKind(self._aws, self._waiter, bodies[CLUSTER])
        self._log_group = LogGroupKind(self._aws)
        # A definition is the child of the service that runs it; its own tags are for people and for pruning.
        self._definition = TaskDefinitionKind(self._aws, taggable=False)
        self._service = ServiceKind(self._aws, self._waiter, bodies[SERVICE])
        self.kinds: Mapping[str, Kind] = {
            CLUSTER: self._cluster,
            LOG_GROUP: self._log_group,
            TASK_DEFINITION: self._definition,
            SERVICE: self._service,
        }

    @property
    def target(self) -> str:
        return f"{self.deployment.name} on ecs {self._aws.region}"

    # ---- reading

    def observe(self) -> Observed:
        """Six calls in two parallel rounds; four in one where C(network.endpoint_url) names the address.

        The family's newest definition is read on the chance that it is the one that runs, which is the rule.
        """
        self._aws.warm("ecs", "logs")
        first = gather(self._first_round())
        service: Found | None = first[SERVICE]
        if service is None:
            return self._observe_without_service(first)
        self._arn = service.id
        self._cluster.own_services = 1
        self._rollouts.learn(service.raw)
        ids: list[str] = first.get("tasks") or []
        definition: Found | None = first[TASK_DEFINITION]
        calls: dict[str, Callable[[], Any]] = {}
        if definition is None or definition.id != service.raw["taskDefinition"]:
            calls[TASK_DEFINITION] = lambda: self._definition.read(service.raw["taskDefinition"])
        if ids:
            calls["tasks"] = lambda: self._rollouts.tasks.describe(ids)
        second = gather(calls)
        definition = second.get(TASK_DEFINITION, definition)
        found = {
            CLUSTER: first[CLUSTER],
            LOG_GROUP: self._settled_log_group(first[LOG_GROUP], service, definition),
            TASK_DEFINITION: definition,
            SERVICE: self._without_foreign_count(service),
        }
        return Observed(
            found=found,
            record=Record.from_tags(service.tags),
            exists=True,
            running=service.raw["desiredCount"] > 0,
            release=running_release(service.raw),
            endpoints=self._urls(_serving(second.get("tasks", ()), service.raw)),
            image=_container(definition).get("image", ""),
            sidecar_image=sidecar_image_among(_containers(definition)),
            settled=not in_flight(service.raw),
        )

    def _first_round(self) -> dict[str, Callable[[], Any]]:
        calls: dict[str, Callable[[], Any]] = {
            CLUSTER: lambda: self._cluster.read(self._names.cluster),
            SERVICE: lambda: self._service.read(self._names.service),
            TASK_DEFINITION: lambda: self._definition.read(self._names.family),
            LOG_GROUP: lambda: self._log_group.read_untagged(self._names.log_group),
        }
        fixed = self.deployment.network.endpoint_url
        if fixed is None or "{host}" in fixed:
            calls["tasks"] = self._rollouts.tasks.ids
        return calls

    def _observe_without_service(self, first: Mapping[str, Any]) -> Observed:
        self._cluster.own_services = 0
        self._log_group.taggable = True
        group = first[LOG_GROUP]
        definition = None
        if self._absent:
            left = first[TASK_DEFINITION]
            ours = left is not None and left.tags.get(DEPLOYMENT) == self.deployment.name
            definition = left if ours else None
        return Observed(
            found={
                CLUSTER: first[CLUSTER],
                LOG_GROUP: self._log_group.with_tags(group) if group else None,
                TASK_DEFINITION: definition,
                SERVICE: None,
            }
        )

    def _settled_log_group(self, group: Found | None, service: Found, definition: Found | None) -> Found | None:
        """The log group, with tags only where the running release does not vouch for it: that is a call of its own."""
        options = _container(definition).get("logConfiguration", {}).get("options", {})
        tags = {**self.deployment.tags, DEPLOYMENT: self.deployment.name}
        vouched = options.get("awslogs-group") == self._names.log_group and tags.items() <= service.tags.items()
        self._log_group.taggable = not vouched
        return group if group is None or vouched else self._log_group.with_tags(group)

    def _without_foreign_count(self, service: Found) -> Found:
        """The service as found, its count equal to ours where it is not ours to compare: stopped, or autoscaled."""
        wanted = next(item for item in self._bundle if item.key == SERVICE).body.get("desiredCount")
        count = service.raw["desiredCount"]
        if wanted is None or count == wanted or (count != 0 and self._scalable.bounds() is None):
            return service
        return dataclasses.replace(service, body={**service.body, "desiredCount": wanted})

    def wanted(self, observed: Observed) -> Sequence[Wanted]:
        return self._bundle

    def posture(self) -> Posture:
        return posture(self.deployment)

    def notes(self, observed: Observed) -> Sequence[str]:
        notes = list(advice(self.deployment))
        service = observed.found.get(SERVICE)
        if service is not None and in_flight(service.raw):
            notes.append("a deployment is under way: it is verified if it is what is wanted, else rolled back first")
        return notes

    def replaces(self, change: Change) -> bool:
        """A count, tags and the like are changed without a new task."""
        return change.key == TASK_DEFINITION or any(field.path.startswith(DEPLOYING) for field in change.fields)

    # ---- a release on its way

    def begin(self, observed: Observed, results: Mapping[str, Found]) -> Rollout:
        service = results[SERVICE]
        self._arn = service.id
        release = running_release(service.raw)
        if not observed.exists:
            record = self._rollouts.started(service)
            return Rollout(release=release, detail={"record": record["serviceDeploymentArn"], "created": True})
        before = observed.found[SERVICE]
        if service.attributes.get("deploys") and observed.running and before is not None:
            record = self._rollouts.started(service)
            previous = self._rollouts.source_of(record) or observed.release
            outage = update_strategy(self.deployment) == "stop_first"
            detail = {"record": record["serviceDeploymentArn"], "before": self._members(before, service)}
            return Rollout(release=release, previous=previous, outage=outage, detail=detail)
        return self._resume(observed, service, release)

    def _resume(self, observed: Observed, service: Found, release: str) -> Rollout:
        """Verify what runs or waits already: nothing was started by this run."""
        record = self._rollouts.newest() if observed.running and in_flight(service.raw) else None
        if record is not None and self._rollouts.release_of(record) == release:
            previous = self._rollouts.source_of(record)
            ours = service.tags.get(DEPLOYMENT) == self.deployment.name
            detail = {"record": record["serviceDeploymentArn"], "created": not previous and ours}
            return Rollout(release=release, previous=previous, detail=detail)
        known = (observed.record.last_good, observed.record.previous_good)
        previous = next((item for item in known if item and item != release), "")
        return Rollout(release=release, previous=previous)

    def _members(self, before: Found, after: Found) -> dict[str, Any]:
        """What an abandoned release has to put back: the members that start a deployment, as they were."""
        return {key: before.body.get(key) for key in self._service.changed(before, after.body) & RELEASING}

    def wait_steady(self, rollout: Rollout) -> None:
        arn = rollout.detail.get("record")
        self._rollouts.wait_ready(self._rollouts.read(arn) if arn else None, rollout.release)

    def endpoints(self, rollout: Rollout) -> Sequence[str]:
        newest = primary(self._service.require(self._names.service).raw)
        tasks = of_release(self._rollouts.tasks.running(), newest["taskDefinition"], newest["id"])
        return self._urls([task for task in tasks if is_running(task)])

    def promote(self, rollout: Rollout) -> None:
        arn = rollout.detail.get("record")
        record = self._rollouts.read(arn) if arn else None
        if record is not None and record["status"] == "IN_PROGRESS":
            self._emit("ECS", f"release {rollout.release} is good: let it take over")
            self._rollouts.proceed(record)
        self._rollouts.until_steady()

    def abandon(self, rollout: Rollout) -> None:
        if rollout.detail.get("created"):
            self._remove(rollout.release)
            return
        if not rollout.previous:
            raise RolloutFailed("There is no earlier release to return to: it was left as it is.")
        arn = rollout.detail.get("record")
        record = self._rollouts.read(arn) if arn else None
        if record is not None:
            self._rollouts.roll_back(record)
        service = self._service.require(self._names.service)
        back = {**service.body, **rollout.detail.get("before", {}), "taskDefinition": rollout.previous}
        members = {key: back.get(key) for key in self._service.changed(service, back) & RELEASING}
        if members:
            self._rollouts.pass_through(self._service.apply(self._names.service, members, service.tags))
        if rollout.detail.get("started") and rollout.previous == rollout.release:
            self._stop(service)
        self._rollouts.until_steady()

    def _remove(self, release: str) -> None:
        found = self._service.read(self._names.service)
        if found is not None:
            self._service.delete(found)
        self._definition.deregister(release, self.deployment.name)

    # ---- rollback, start, stop

    def describe(self, observed: Observed, release: str) -> Target | None:
        found = self._definition.read(release)
        if found is None:
            return None
        problem = ""
        if found.raw.get("status") != "ACTIVE":
            problem = f"task definition {release} was deregistered, and ECS runs active ones only: deploy it anew"
        elif not observed.running:
            problem = "the deployment is stopped: start it first (state: started), so that the release can be verified"
        elif missing := unserved(observed.found.get(SERVICE), found):
            problem = (
                f"the service's load balancer leads to container {missing}, which that release does not have: converge "
                "its description instead, which changes both"
            )
        container = _container(found)
        environment = {item["name"]: item.get("value", "") for item in container.get("environment", ())}
        models = parse_models(environment.get(MODELS_VARIABLE, ""))
        return Target(
            release=release,
            config_hash=found.tags.get(CONFIG_HASH, ""),
            image=container.get("image", ""),
            models=tuple(Model(name=name, digest=digest) for name, digest in models),
            problem=problem,
        )

    def switch(self, observed: Observed, target: Target) -> Rollout:
        service = self._service.require(self._names.service)
        if in_flight(service.raw):
            self._rollouts.settle(service)
        members = {"taskDefinition": target.release}
        updated = self._service.apply(self._names.service, members, service.tags)
        record = self._rollouts.started(updated)
        return Rollout(
            release=target.release,
            previous=observed.release,
            outage=update_strategy(self.deployment) == "stop_first",
            detail={"record": record["serviceDeploymentArn"]},
        )

    def start(self, observed: Observed) -> Rollout:
        service = self._service.require(self._names.service)
        scaling = self.deployment.scaling
        bounds = from_tag(service.tags.get(BOUNDS_TAG, ""))
        count = max(1, bounds[0] if bounds else scaling.min)
        present = self._scalable.bounds()
        if bounds is None and present is not None and present[1] < count:
            bounds = (scaling.min, scaling.max)
        if bounds is not None:
            self._scalable.set(*bounds)
        self._service.apply(self._names.service, {"desiredCount": count}, service.tags)
        if BOUNDS_TAG in service.tags:
            self._aws.call("ecs", "untag_resource", resourceArn=service.id, tagKeys=[BOUNDS_TAG])
        release = running_release(service.raw)
        previous = observed.record.last_good or release
        return Rollout(release=release, previous=previous, detail={"started": True})

    def stop(self, observed: Observed) -> None:
        service = self._service.require(self._names.service)
        if in_flight(service.raw):
            self._rollouts.settle(service)
        self._stop(service)

    def _stop(self, service: Found) -> None:
        bounds = self._scalable.bounds()
        if bounds is not None and bounds != (0, 0):
            tags = tag_list({BOUNDS_TAG: to_tag(bounds)})
            self._aws.call("ecs", "tag_resource", resourceArn=service.id, tags=tags)
            self._scalable.set(0, 0)
        self._service.apply(self._names.service, {"desiredCount": 0}, service.tags)
        self._rollouts.until_stopped()

    # ---- record

    def write_record(self, record: Record) -> None:
        if not self._arn:
            raise Refused(f"{self.target}: there is no service to write the record on.")
        tags = record.to_tags()
        self._aws.call("ecs", "tag_resource", resourceArn=self._arn, tags=tag_list(tags))
        empty = sorted(set(RECORD_TAGS) - set(tags))
        if empty:
            self._aws.call("ecs", "untag_resource", resourceArn=self._arn, tagKeys=empty)
        if record.proven and record.config_hash:
            # So that a rollback knows the configuration's name.
            found = self._definition.read(record.release)
            if found is not None and found.tags.get(CONFIG_HASH) != record.config_hash:
                named = tag_list({CONFIG_HASH: record.config_hash})
                self._aws.call("ecs", "tag_resource", resourceArn=found.id, tags=named)

    def prune(self, record: Record) -> Sequence[str]:
        needed = {record.release, record.last_good, record.previous_good}
        arns = self._definition.revisions(self._names.family, PRUNE_PAGE)
        old = arns[self.deployment.update.keep_revisions :]
        gone = []
        for arn in old:
            release = arn.rsplit("/", 1)[-1]
            if release not in needed and self._definition.deregister(arn, self.deployment.name):
                gone.append(f"deregistered the old task definition {release}")
        return gone

    def _urls(self, tasks: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        port = self.deployment.network.port
        template = self.deployment.network.endpoint_url
        if template and "{host}" not in template:
            return (endpoint_url(self.deployment, ""),)
        hosts = [address(task) for task in tasks]
        return tuple(dict.fromkeys(endpoint_url(self.deployment, host, port) for host in hosts if host))


def _container(definition: Found | None) -> dict[str, Any]:
    """The Ollama container of a task definition: the one of that name, else the first."""
    containers = _containers(definition)
    named = [item for item in containers if item.get("name") == CONTAINER]
    return dict((named or containers or [{}])[0])


def _containers(definition: Found | None) -> list[dict[str, Any]]:
    return list(definition.body.get("containerDefinitions", ())) if definition else []


def _serving(tasks: Sequence[Mapping[str, Any]], service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The tasks that serve now: while two releases run, not those of the one that is still to be proven."""
    unproven = primary(service).get("id") if len(service.get("deployments", ())) > 1 else None
    return [task for task in tasks if is_running(task) and task.get("startedBy") != unproven]

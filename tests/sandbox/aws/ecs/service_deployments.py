# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service deployment and service revision actions."""

from __future__ import annotations

from typing import Any

from tests.sandbox.aws.ecs import breaker, errors, hooks, rollout
from tests.sandbox.aws.ecs.model import ServiceDeployment, ServiceRevision, now
from tests.sandbox.aws.ecs.services import revision_counts
from tests.sandbox.aws.ecs.world import Region, page

STOPPED_BY_USER = "Service deployment was stopped by the user."


def _summary(record: ServiceDeployment, revision: ServiceRevision) -> dict[str, Any]:
    counts = {"requestedTaskCount": 0, "runningTaskCount": 0, "pendingTaskCount": 0}
    for deployment in record.service.deployments:
        if deployment.revision is revision:
            counts = revision_counts(deployment)
    return {"arn": revision.arn, **counts}


def _breaker(record: ServiceDeployment) -> dict[str, Any]:
    service = record.service
    status = "MONITORING" if record.ongoing else "MONITORING_COMPLETE"
    if not breaker.settings(service)["enable"]:
        status = "DISABLED"
    elif record.breaker_triggered:
        status = "TRIGGERED"
    return {"status": status, "failureCount": record.failure_count, "threshold": breaker.threshold(service)}


def _view(record: ServiceDeployment) -> dict[str, Any]:
    body: dict[str, Any] = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": record.service.arn,
        "clusterArn": record.service.cluster.arn,
        "createdAt": record.created_at,
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "stoppedAt": record.stopped_at,
        "updatedAt": record.updated_at,
        "sourceServiceRevisions": [_summary(record, revision) for revision in record.sources],
        "targetServiceRevision": _summary(record, record.target),
        "status": record.status,
        "statusReason": record.status_reason,
        "lifecycleStage": record.stage,
        "deploymentConfiguration": record.configuration,
        "rollback": record.rollback,
        "deploymentCircuitBreaker": _breaker(record),
        "lifecycleHookDetails": [
            {
                "hookId": hook.id,
                "targetType": "PAUSE",
                "status": hook.status,
                "expiresAt": hook.expires_at,
                "timeoutAction": hook.timeout_action,
            }
            for hook in record.hooks
        ],
    }
    names = record.configuration["alarms"].get("alarmNames", [])
    if record.configuration["alarms"].get("enable"):
        body["alarms"] = {"status": "MONITORING" if record.ongoing else "MONITORING_COMPLETE", "alarmNames": names}
    return body


def _find(region: Region, arn: str) -> ServiceDeployment:
    found = region.deployments.get(arn)
    if found is None:
        raise errors.ServiceDeploymentNotFoundException()
    return found


def list_service_deployments(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """List the deployments of a service, newest first."""
    service = region.service(region.cluster(request.get("cluster")), request["service"])
    wanted, window = request.get("status", []), request.get("createdAt", {})
    found = [
        record
        for record in service.records
        if (not wanted or record.status in wanted)
        and _seconds(window.get("after"), 0) <= record.created_at.timestamp() <= _seconds(window.get("before"), 1e12)
    ]
    shown, token = page(found, request, 100, 20)
    briefs = [
        {
            "serviceDeploymentArn": record.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "startedAt": record.started_at,
            "createdAt": record.created_at,
            "finishedAt": record.finished_at,
            "targetServiceRevisionArn": record.target.arn,
            "status": record.status,
            "statusReason": record.status_reason,
        }
        for record in shown
    ]
    return {"serviceDeployments": briefs, "nextToken": token}


def _seconds(value: Any, default: float) -> float:
    return float(value) if value is not None else default


def describe_service_deployments(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return up to 20 deployments; unknown ones are failures."""
    found, failures = _collect(request["serviceDeploymentArns"], region.deployments)
    return {"serviceDeployments": [_view(record) for record in found], "failures": failures}


def describe_service_revisions(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Return up to 20 revisions; unknown ones are failures."""
    found, failures = _collect(request["serviceRevisionArns"], region.revisions)
    return {"serviceRevisions": [_revision(region, revision) for revision in found], "failures": failures}


def _collect(arns: list[str], known: dict[str, Any]) -> tuple[list[Any], list[dict[str, str]]]:
    if not 1 <= len(arns) <= 20:
        raise errors.InvalidParameterException("Specify between 1 and 20 ARNs.")
    found = [known[arn] for arn in arns if arn in known]
    return found, [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known]


def _revision(region: Region, revision: ServiceRevision) -> dict[str, Any]:
    cluster, name, _ = revision.arn.split(":service-revision/")[1].split("/")
    images = [
        {"containerName": each["name"], "image": each["image"]}
        | ({"imageDigest": each["image"].split("@")[1]} if "@" in each["image"] else {})
        for each in revision.definition.containers
    ]
    return {
        "serviceRevisionArn": revision.arn,
        "serviceArn": region.arn("service", f"{cluster}/{name}"),
        "clusterArn": region.arn("cluster", cluster),
        "taskDefinition": revision.definition.arn,
        "containerImages": images,
        "guardDutyEnabled": False,
        "createdAt": revision.created_at,
        **revision.config,
    }


def continue_service_deployment(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Let a paused deployment go on, or send it back."""
    record = _find(region, request["serviceDeploymentArn"])
    hooks.answer(record, request["hookId"], request.get("action", "CONTINUE"))
    return {"serviceDeploymentArn": record.arn}


def stop_service_deployment(region: Region, request: dict[str, Any]) -> dict[str, Any]:
    """Stop an ongoing deployment: ROLLBACK (default) returns to the last good revision, ABORT stays where it is."""
    record = _find(region, request["serviceDeploymentArn"])
    if not record.ongoing:
        raise errors.ConflictException(f"The service deployment is {record.status} and cannot be stopped.")
    if record.status.startswith("ROLLBACK"):
        return {"serviceDeploymentArn": record.arn}
    service = record.service
    primary = service.primary
    if request.get("stopType", "ROLLBACK") == "ROLLBACK":
        if not rollout.roll_back(region, service, STOPPED_BY_USER):
            raise errors.InvalidParameterException("The service has no completed deployment to roll back to.")
    elif primary is not None:
        primary.settle("FAILED", STOPPED_BY_USER)
        record.move("STOPPED", STOPPED_BY_USER)
        record.stopped_at = now()
    return {"serviceDeploymentArn": record.arn}

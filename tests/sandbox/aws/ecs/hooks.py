# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifecycle hooks of kind PAUSE: a stage that waits for ContinueServiceDeployment."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from tests.sandbox.aws.ecs import errors
from tests.sandbox.aws.ecs.model import Hook, ServiceDeployment, now
from tests.sandbox.aws.ecs.timing import Timing

DEFAULT_TIMEOUT_MINUTES = 1440
LAMBDA_ONLY = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")


def check(hooks: list[dict[str, Any]]) -> None:
    """Raise where hooks break a rule; Lambda hooks are not emulated and refused."""
    for hook in hooks:
        if hook.get("targetType", "AWS_LAMBDA") == "AWS_LAMBDA":
            if not hook.get("hookTargetArn") or not hook.get("roleArn"):
                raise errors.InvalidParameterException("hookTargetArn and roleArn are required for AWS_LAMBDA hooks.")
            raise errors.InvalidParameterException("AWS_LAMBDA lifecycle hooks are not supported by this sandbox.")
        if "hookTargetArn" in hook:
            raise errors.InvalidParameterException("hookTargetArn is not applicable for PAUSE hooks.")
        stages = hook.get("lifecycleStages", [])
        if not stages:
            raise errors.InvalidParameterException("lifecycleStages must be provided for a lifecycle hook.")
        for stage in stages:
            if stage in LAMBDA_ONLY:
                raise errors.InvalidParameterException(f"PAUSE hooks cannot be configured at the {stage} stage.")


def outcome(record: ServiceDeployment, stage: str, timing: Timing) -> str:
    """Return what the hooks of a stage say: ``go``, ``wait`` or ``rollback``."""
    wanted = [
        hook for hook in record.configuration.get("lifecycleHooks", []) if stage in hook.get("lifecycleStages", [])
    ]
    if not wanted:
        return "go"
    reached = [hook for hook in record.hooks if hook.stage == stage]
    if not reached:
        record.hooks.extend(_pause(hook, stage, timing) for hook in wanted)
        return "wait"
    for hook in reached:
        if hook.status == "AWAITING_ACTION" and now() >= hook.expires_at:
            hook.status = "TIMED_OUT"
    refused = [hook for hook in reached if hook.status == "FAILED"]
    expired = [hook for hook in reached if (hook.status, hook.timeout_action) == ("TIMED_OUT", "ROLLBACK")]
    if refused or expired:
        return "rollback"
    return "wait" if any(hook.status == "AWAITING_ACTION" for hook in reached) else "go"


def _pause(hook: dict[str, Any], stage: str, timing: Timing) -> Hook:
    timeout = hook.get("timeoutConfiguration", {})
    minutes = timeout.get("timeoutInMinutes", DEFAULT_TIMEOUT_MINUTES)
    return Hook(
        id=f"ecs-pause-{secrets.token_urlsafe(32)}",
        stage=stage,
        timeout_action=timeout.get("action", "ROLLBACK"),
        expires_at=now() + timedelta(seconds=minutes * timing.hook_minute),
    )


def answer(record: ServiceDeployment, hook_id: str, action: str) -> None:
    """Apply a caller's decision to a waiting hook; raises InvalidParameterException."""
    hook = next((each for each in record.hooks if each.id == hook_id), None)
    if hook is None:
        raise errors.InvalidParameterException(f"The hook {hook_id} was not found in the service deployment.")
    if record.status != "IN_PROGRESS" or hook.status != "AWAITING_ACTION":
        raise errors.InvalidParameterException(
            f"The hook {hook_id} is not awaiting an action (deployment {record.status}, hook {hook.status})."
        )
    hook.status = "SUCCEEDED" if action == "CONTINUE" else "FAILED"
    record.updated_at = now()

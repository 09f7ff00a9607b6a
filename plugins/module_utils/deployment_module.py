# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every C(*_deployment) module does between its argument spec and its exit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .capabilities import Capabilities
from .deployment.model import Deployment, Model
from .deployment.parse import parse
from .deployment.validate import name_problems, problems
from .errors import InvalidDeployment, PolycloudError, ReleaseFailed
from .events import EventLog
from .outcome import Emit, Outcome, Verdict, Verify
from .planner import Consent
from .platform import Platform
from .reconcile import Reconciler

P = TypeVar("P")
NEEDS_DEFINITION = ("present", "started")


def run_deployment(
    module: Any,
    platform_type: type[P],
    capabilities: Capabilities,
    platform_problems: Callable[[Deployment[P]], list[str]],
    make_platform: Callable[[Deployment[P], EventLog], Platform],
) -> None:
    """Parse, validate, reconcile and exit. make_platform is called after validation and before the first call."""
    events = EventLog.for_module(module)
    reconciler: Reconciler | None = None
    try:
        deployment = parse(module.params, platform_type)
        _validate(deployment, capabilities, platform_problems, module.params["state"])
        platform = make_platform(deployment, events)
        consent = Consent(**{name: module.params[name] for name in ("adopt", "recreate", "force")})
        verify = _verifier(deployment, events.emit)
        reconciler = Reconciler(platform, verify, events.emit, consent=consent, check=module.check_mode)
        outcome = reconciler.run(module.params["state"])
    except PolycloudError as error:
        module.fail_json(**_failure(error, reconciler, events, capabilities))
    else:
        module.exit_json(**_result(outcome, events, deployment, capabilities))


def _verifier(deployment: Deployment[Any], emit: Emit) -> Verify:
    def verify(endpoints: Sequence[str], model: Model) -> Verdict:
        # The HTTP client costs 50 to 90 ms to load, which a run that changes nothing need not pay.
        from .verification import verifier

        return verifier(deployment, emit)(endpoints, model)

    return verify


def _validate(
    deployment: Deployment[P],
    capabilities: Capabilities,
    platform_problems: Callable[[Deployment[P]], list[str]],
    state: str,
) -> None:
    if state in NEEDS_DEFINITION:
        found = problems(deployment, capabilities) + platform_problems(deployment)
    else:
        found = name_problems(deployment)
    if found:
        raise InvalidDeployment(found)


def _result(
    outcome: Outcome, events: EventLog, deployment: Deployment[Any] | None, capabilities: Capabilities
) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "plan": outcome.plan.to_dict(),
        "diff": {"prepared": outcome.plan.render()},
        "events": events.events,
        "seconds": events.seconds(),
        "deployment": _describe(outcome, deployment, capabilities),
    }


def _describe(outcome: Outcome, deployment: Deployment[Any] | None, capabilities: Capabilities) -> dict[str, Any]:
    verdict = outcome.verdict
    return {
        "name": deployment.name if deployment else "",
        "platform": capabilities.platform,
        "running": outcome.running,
        "serving": outcome.serving,
        "image": outcome.image,
        "sidecar_image": outcome.sidecar_image,
        "settled": outcome.settled,
        "endpoints": list(outcome.endpoints),
        "release": outcome.record.release,
        "last_good": outcome.record.last_good,
        "previous_good": outcome.record.previous_good,
        "config_hash": outcome.record.config_hash,
        "resources": outcome.resources,
        "answer": verdict.answer if verdict else None,
        "tokens_per_second": verdict.tokens_per_second if verdict else None,
        "rolled_back": outcome.rolled_back,
        "outage_seconds": outcome.outage_seconds,
    }


def _failure(
    error: PolycloudError, reconciler: Reconciler | None, events: EventLog, capabilities: Capabilities
) -> dict[str, Any]:
    """Everything known at the failure: the plan, what was done, and what serves now."""
    details: dict[str, Any] = {"msg": str(error), "error": type(error).__name__, "events": events.events}
    if isinstance(error, InvalidDeployment):
        details["problems"] = list(error.problems)
    if reconciler is not None:
        details |= _result(reconciler.outcome, events, reconciler.platform.deployment, capabilities)
        details["rolled_back"] = isinstance(error, ReleaseFailed) and error.rolled_back
    return details

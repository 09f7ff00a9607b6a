# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the collection. Below main() everything raises one of these; only main() turns them into fail_json."""

from __future__ import annotations

from collections.abc import Sequence


class PolycloudError(Exception):
    """An error with one sentence for a person and, where there is one, what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidDeployment(PolycloudError):
    """The description breaks one or more rules. Raised before any call."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(f"{len(self.problems)} problem(s) in the deployment, nothing was called:{lines}")


class Refused(PolycloudError):
    """The change is possible but not without a word of the user: adopt, recreate, force."""


class NotFound(PolycloudError):
    """Something that the user gives (network, role, resource group, model) does not exist."""


class Unreachable(PolycloudError):
    """No answer from the other side: connection refused, reset, name not resolved, time-out of a single call."""


class ApiError(PolycloudError):
    """A cloud or an Ollama server answered with an error.

    call: the operation, for example C(ecs.UpdateService). status: HTTP status. code: the API's own error code.
    """

    def __init__(self, call: str, status: int, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{call} failed: {code or status}: {message}", hint=hint)
        self.call = call
        self.status = status
        self.code = code

    @property
    def answers(self) -> bool:
        """True if the other side judged what was asked; False if it did not get so far: who asks, how often, a 5xx."""
        # AWS says so in the code, with status 400.
        unheard = any(word in self.code for word in ("Throttl", "TooManyRequests", "Token", "Signature"))
        return self.status < 500 and self.status not in (401, 403, 408, 429) and not unheard


class WaitTimeout(PolycloudError):
    """A bounded wait ended before the thing waited for happened."""


class RolloutFailed(PolycloudError):
    """The platform gave up on a release, or will never bring it up."""


class NoCapacity(RolloutFailed):
    """The platform has no GPU, node or quota for the release. Says nothing about the release itself."""


class ReleaseFailed(PolycloudError):
    """A release was bad. Says what serves now.

    rolled_back: the former release was restored. outage_seconds: how long nothing answered, None where unknown.
    """

    def __init__(self, message: str, *, rolled_back: bool, serving: str, outage_seconds: float | None = None) -> None:
        super().__init__(message)
        self.rolled_back = rolled_back
        self.serving = serving
        self.outage_seconds = outage_seconds


# What ends a wait for a release with a judgement on it; all other errors are of the way to the cloud.
VERDICTS = (RolloutFailed, WaitTimeout)


def blames_release(error: PolycloudError) -> bool:
    """True if a release is to be remembered as bad: not for want of room, nor for a call that was not heard."""
    if isinstance(error, ApiError):
        return error.answers
    return isinstance(error, VERDICTS) and not isinstance(error, NoCapacity)

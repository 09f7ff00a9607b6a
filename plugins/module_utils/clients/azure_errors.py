# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn the errors of azure-core into ours, with ARM's own code and message and what to do next."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import ApiError, NotFound, PolycloudError, Unreachable
from ..text import one_line

EXPIRED = (
    "ExpiredAuthenticationToken",
    "InvalidAuthenticationToken",
    "InvalidAuthenticationTokenTenant",
    "AuthenticationFailed",
)
# Codes and words by which services say: not now, something is still going on here.
BUSY = re.compile(
    r"transitioning|OperationInProgress|AnotherOperation|operation in progress|NotReadyFor|IsNotProvisioned|"
    r"please (re)?try( again)? later",
    re.IGNORECASE,
)
HINTS = {
    "QuotaExceeded": "Ask for more quota in this region (portal: Quotas), free some, or choose another region.",
    "ResourceGroupNotFound": "Create the resource group first, or name another one.",
    "SubscriptionNotFound": "Check subscription_id (or AZURE_SUBSCRIPTION_ID) and that the credentials may see it.",
    "MissingSubscriptionRegistration": "Register the resource provider once: az provider register --namespace <name>.",
    "ServiceUnavailable": "The region has no capacity for this now; try again later or choose another region.",
    "DnsNameLabelNotAvailable": "Choose another platform.dns_name_label.",
    "InaccessibleImage": "Check the image reference and the registry credentials or identity.",
    "RegistryErrorResponse": "Check the image reference and the registry credentials or identity.",
}
QUOTA = re.compile(r"quota", re.IGNORECASE)
PERMISSION = re.compile(r"perform action '([^']+)'")
LONGEST_MESSAGE = 1000


def code_and_message(body: Any) -> tuple[str, str]:
    """ARM's error code and message in a body: C({"error": {"code", "message", "details"}}), or the error itself."""
    error = body.get("error", body) if isinstance(body, Mapping) else {}
    if not isinstance(error, Mapping):
        return "", one_line(str(error), LONGEST_MESSAGE)
    texts = [str(error.get("message") or "")]
    texts += [str(detail["message"]) for detail in error.get("details") or () if _has_message(detail)]
    return str(error.get("code") or ""), one_line(" ".join(dict.fromkeys(filter(None, texts))), LONGEST_MESSAGE)


def _has_message(detail: Any) -> bool:
    return isinstance(detail, Mapping) and bool(detail.get("message"))


def answer_error(call: str, response: Any) -> PolycloudError:
    """Our error for an answer of ARM. call: what was asked, C(PUT containerGroups/chat)."""
    try:
        body = json.loads(response.text())
    except ValueError:
        body = {}
    code, message = code_and_message(body)
    state = str((body.get("properties") or {}).get("provisioningState") or "") if isinstance(body, Mapping) else ""
    if state and not code:
        code, message = state, f"the resource ended in provisioningState {state}"
    return make_error(call, int(response.status_code), code, message or f"HTTP {response.status_code}")


def make_error(call: str, status: int, code: str, message: str) -> PolycloudError:
    """Our error for a status, code and message."""
    hint = _hint(status, code, message)
    if status == 404:
        return NotFound(f"{call} failed: {code or 404}: {message}", hint=hint)
    return ApiError(call, status, code, message, hint=hint)


def _hint(status: int, code: str, message: str) -> str:
    if code in HINTS:
        return HINTS[code]
    if status == 401 or code in EXPIRED:
        return "The credentials are expired or not valid for this tenant: renew them (az login, or a new secret)."
    if status == 403:
        found = PERMISSION.search(message)
        wanted = f" {found.group(1)}" if found else ""
        return f"Give the identity a role with the permission{wanted} on the resource group."
    if QUOTA.search(code) or "quota" in message.lower():
        return HINTS["QuotaExceeded"]
    return ""


def is_busy(error: PolycloudError) -> bool:
    """True for the 409 that goes away by waiting: another operation on the same resource is not finished."""
    return isinstance(error, ApiError) and error.status == 409 and bool(BUSY.search(f"{error.code} {error.message}"))


def lacks_capacity(error: ApiError) -> bool:
    """True where the region or the subscription has no room: what was asked for was right."""
    return error.code == "ServiceUnavailable" or bool(QUOTA.search(f"{error.code} {error.message}"))


def transport_error(call: str, endpoint: str, error: Exception) -> PolycloudError:
    """Our error for a call without an answer, or for a token that could not be had."""
    name = type(error).__name__
    text = one_line(str(error), 400)
    if name in ("ClientAuthenticationError", "CredentialUnavailableError"):
        return ApiError(call, 401, "AuthenticationFailed", text, hint=_hint(401, "", ""))
    return Unreachable(f"{call} got no answer from {endpoint}: {text}")

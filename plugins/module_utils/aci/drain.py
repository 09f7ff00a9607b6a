# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let running answers end before a container group is changed, stopped or deleted: ACI gives containers no such time.

The sidecar is asked to take no more requests and to stay (C(exit=false)), since ACI would start it anew, and then how
many still run. What cannot be drained is told as an event and changed all the same: nobody could mend a group that
cannot be reached otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..deployment.sidecar import MARGIN, NAME
from ..errors import PolycloudError
from ..outcome import Emit
from .readiness import is_stopped

SOURCE = "ACI"
HASH, SECONDS = "SIDECAR_DRAIN_TOKEN_SHA256", "SIDECAR_DRAIN_SECONDS"
CALL = 5.0  # seconds for one question
INTERVAL = 0.5


class Drain:
    """Drains the sidecar of a group, if it has one. urls: of a group as Azure answers it. reopen: restart the group.

    token: what opens the drain, None where the description names none.
    """

    def __init__(
        self,
        token: str | None,
        urls: Callable[[Mapping[str, Any]], tuple[str, ...]],
        reopen: Callable[[], None],
        emit: Emit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._token = token
        self._urls = urls
        self._reopen = reopen
        self._emit = emit
        self._clock = clock
        self._sleep = sleep

    @contextmanager
    def before(self, group: Mapping[str, Any]) -> Iterator[None]:
        """Drain, then let the change be made. If it is refused the group is restarted, or it would refuse for ever."""
        drained = self._drain(group)
        try:
            yield
        except PolycloudError:
            if drained:
                self._emit(SOURCE, "the change was refused: the group is restarted, so that it takes requests again")
                self._reopen()
            raise

    def _drain(self, group: Mapping[str, Any]) -> bool:
        """True if the sidecar was told to take no more requests."""
        settings = _sidecar_settings(group)
        if settings is None or not group or is_stopped(group):
            return False
        if self._token is None or not settings.get(HASH):
            self._emit(SOURCE, "not drained, running answers may be cut: there is no sidecar.drain_token")
            return False
        urls = self._urls(group)
        if not urls:
            self._emit(SOURCE, "not drained, running answers may be cut: the group has no address")
            return False
        return self._wait(urls[0], float(settings.get(SECONDS) or 0))

    def _wait(self, url: str, seconds: float) -> bool:
        # The HTTP client costs 50 to 90 ms to load, which a run that changes nothing need not pay.
        from ..ollama.client import OllamaClient

        client = OllamaClient(url, timeout=CALL, token=self._token)
        told, asked = -1, False
        end = self._clock() + seconds + MARGIN
        try:
            working = client.drain()
            asked = True
            while working > 0:
                if working != told:
                    told = working
                    self._emit(SOURCE, f"draining: {working} request(s) still run")
                if self._clock() >= end:
                    self._emit(SOURCE, f"{working} request(s) took longer than sidecar.drain_seconds and are cut")
                    return True
                self._sleep(INTERVAL)
                working = client.working()
        except PolycloudError as error:
            self._emit(SOURCE, f"not drained, running answers may be cut: {error.message}")
        else:
            self._emit(SOURCE, "drained")
        return asked


def _sidecar_settings(group: Mapping[str, Any]) -> dict[str, str] | None:
    """The variables of the group's sidecar, None where it has none."""
    for container in (group.get("properties") or {}).get("containers") or ():
        if container.get("name") == NAME:
            variables = container["properties"].get("environmentVariables") or ()
            return {item["name"]: str(item.get("value") or "") for item in variables}
    return None

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one request when it has ended: the one source of metrics and of the access log. Never a prompt."""

from __future__ import annotations

from dataclasses import dataclass
from random import getrandbits


def new_id() -> str:
    """An id for a request that has none."""
    return f"{getrandbits(128):032x}"


@dataclass(slots=True)
class Record:
    """One request. Times are seconds of the monotonic clock, durations are seconds; None is unknown.

    route: the name of the route, `other` where there is none. model: a known name, else `other`, empty where none is
    asked. key: the key's id, `-` without one. status: what the client got, 499 where it went before. rejected: why the
    sidecar itself refused (queue_full, queue_timeout, rate, draining, policy, bodies, ...). cache: hit, miss or bypass.
    """

    id: str
    method: str
    began: float
    route: str = "other"
    dialect: str = ""
    model: str = ""
    key: str = "-"
    peer: str = ""
    status: int = 0
    stream: bool = False
    rejected: str = ""
    cache: str = ""
    queued: float = 0.0
    first: float | None = None  # when the first piece of the answer came
    ended: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    load: float | None = None
    shared: bool = False  # its answer may be others' too, so its tokens are counted when that ends, not with it
    disconnected: bool = False
    broken: str = ""  # why an answer that had begun is not whole: upstream, timeout, error, draining

    @property
    def duration(self) -> float:
        return self.ended - self.began

    @property
    def first_token(self) -> float | None:
        """Seconds from the request to the first piece of the answer, the wait in the queue included."""
        return None if self.first is None else self.first - self.began

    @property
    def each_token(self) -> float | None:
        """Seconds for each token after the first; None for answers that came in one piece."""
        if not self.stream or self.first is None or not self.output_tokens or self.output_tokens < 2:
            return None
        return (self.ended - self.first) / (self.output_tokens - 1)

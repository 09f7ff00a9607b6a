# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to every target while a release is changed: how many were sent, and how many were not answered."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT = 5.0
# The sandbox is on loopback, whatever proxy the environment names.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Count:
    """Requests to one target. error: what the first failed one met."""

    sent: int = 0
    failed: int = 0
    error: str = ""


def ask(url: str, model: str, timeout: float = TIMEOUT) -> str:
    """Send one prompt and return the answer. Raises OSError or ValueError where there is none."""
    body = json.dumps({"model": model, "prompt": "Say one word.", "stream": False}).encode()
    request = urllib.request.Request(f"{url}/api/generate", body, {"Content-Type": "application/json"})
    with OPENER.open(request, timeout=timeout) as answer:
        text = json.load(answer).get("response", "")
    if not text:
        raise ValueError("the answer is empty")
    return str(text)


class Load:
    """Asks each target again and again, a thread for each: `with Load(urls, model) as load:`, then `load.counts`."""

    def __init__(self, urls: Mapping[str, str], model: str, interval: float = 0.2) -> None:
        self.counts = {target: Count() for target in urls}
        self._urls = urls
        self._model = model
        self._interval = interval
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(target,), name=f"load-{target}") for target in urls]

    def __enter__(self) -> Load:
        """Start asking."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Wait for the requests that are on their way, and end."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, target: str) -> None:
        count = self.counts[target]
        while not self._ended.is_set():
            try:
                ask(self._urls[target], self._model)
            except (OSError, ValueError) as error:
                count.failed += 1
                count.error = count.error or f"{type(error).__name__}: {error}"
            count.sent += 1
            self._ended.wait(self._interval)

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidecar as a workload: the real program, beside the Ollama of its task at the same address.

What a container calls loopback is the workload's own address here, since all of them share the machine's loopback.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

PACKAGE = Path(__file__).resolve().parents[2] / "roles" / "image" / "files" / "sidecar"
LISTENERS = ("SIDECAR_LISTEN", "SIDECAR_ADMIN_LISTEN", "SIDECAR_METRICS_LISTEN")
# The clouds' own times run faster here, and so does the sidecar's look at its Ollama.
POLL_SECONDS = "0.2"
LONGEST_STOP = 10.0
# It takes a second of a processor to start, Ollama's stand-in a tenth: so much longer may a busy machine take.
START_SECONDS = 10.0
COMMAND = (sys.executable, "-m", "ollama_sidecar")


def is_sidecar(environment: Mapping[str, str]) -> bool:
    """Say whether a container with this environment is the sidecar."""
    return LISTENERS[0] in environment


def listen_port(environment: Mapping[str, str]) -> int:
    """Return the port at which clients reach a sidecar."""
    return int(environment[LISTENERS[0]].rpartition(":")[2])


def placed(environment: Mapping[str, str], address: str) -> dict[str, str]:
    """Return the environment of a sidecar that runs at an address, and asks the Ollama there."""
    moved = {name: f"{address}:{environment[name].rpartition(':')[2]}" for name in LISTENERS if environment.get(name)}
    upstream = urlsplit(environment.get("SIDECAR_UPSTREAM", "http://127.0.0.1:11434"))
    moved["SIDECAR_UPSTREAM"] = f"http://{address}:{upstream.port}"
    return {"SIDECAR_POLL_SECONDS": POLL_SECONDS, **environment, **moved, "PYTHONPATH": str(PACKAGE)}


def stop_seconds(environment: Mapping[str, str]) -> float:
    """Return how long a container may take to stop because of a drain; 0 where there is no sidecar."""
    seconds = environment.get("SIDECAR_DRAIN_SECONDS") or environment.get("POLYCLOUD_DRAIN_SECONDS") or "0"
    return min(float(seconds), LONGEST_STOP)


def hold(environment: Mapping[str, str], address: str) -> None:
    """Wait as the start script of our image does on SIGTERM: until its sidecar does not listen any more."""
    port = environment.get("POLYCLOUD_SIDECAR", "").rpartition(":")[2]
    end = time.monotonic() + stop_seconds(environment)
    while port and time.monotonic() < end and _listens(address, int(port)):
        time.sleep(0.05)


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 0.5).close()
    except OSError:
        return False
    return True

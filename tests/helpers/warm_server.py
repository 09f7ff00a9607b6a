# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that keeps the modules' libraries imported and forks a child for each run (see warm.py).

Protocol, one connection per run: the client sends a line of JSON (``module``, ``env``, ``longest_sleep``) together with
three file descriptors (standard input, output, error); the answers are two lines, ``{"pid"}`` and ``{"rc"}``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
import traceback
from typing import Any

MODULES = "ansible_collections.polycloud.ollama.plugins.modules"
# What takes long to import: everything else comes with these.
LIBRARIES = (
    "ansible.module_utils.basic",
    "ansible_collections.amazon.aws.plugins.module_utils.modules",
    "boto3",
    "azure.mgmt.core",
    "azure.core.pipeline.transport",
    "azure.identity",
    *(f"{MODULES}.{name}" for name in ("ecs_deployment", "aci_deployment", "container_app_deployment")),
    *(f"{MODULES}.{name}" for name in ("efs_storage", "azure_files_storage")),
)
LONGEST_REQUEST = 1 << 20


def serve(path: str) -> None:
    """Listen on a unix socket until standard input ends, which is when the client does."""
    for name in LIBRARIES:
        importlib.import_module(name)
    # What is there now stays for good: the collector of a child must not touch, and so copy, its pages.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(16)
        if os.fork() == 0:
            _end_with_client()
        print("ready", flush=True)
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _run(connection)
            connection.close()


def _end_with_client() -> None:
    """Wait for the end of standard input, then end the server."""
    sys.stdin.buffer.read()
    os.kill(os.getppid(), signal.SIGTERM)
    os._exit(0)


def _run(connection: socket.socket) -> None:
    """Start the module in a child, tell its pid, and then its exit code (negative: the signal that ended it)."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line, streams, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 3)
    while not line.endswith(b"\n"):
        line += connection.recv(LONGEST_REQUEST)
    request = json.loads(line)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request, streams)
    connection.sendall(json.dumps({"pid": pid}).encode() + b"\n")
    _, status = os.waitpid(pid, 0)
    connection.sendall(json.dumps({"rc": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
    os._exit(0)


def _become(request: dict[str, Any], streams: list[int]) -> None:
    """Be the module: its streams, its environment, its code as C(__main__)."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["env"])
    name = f"{MODULES}.{request['module']}"
    sys.argv = [name]
    if request["longest_sleep"] is not None:
        _hurry(float(request["longest_sleep"]))
    code = 0
    try:
        sys.modules.pop(name, None)
        runpy.run_module(name, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _hurry(longest: float) -> None:
    """Cut the sleeps of retries. Waits of ours that took ``time.sleep`` as a default argument keep their pace."""
    real = time.sleep
    time.sleep = lambda seconds: real(min(float(seconds), longest))


if __name__ == "__main__":
    serve(sys.argv[1])

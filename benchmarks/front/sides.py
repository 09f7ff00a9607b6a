# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in front of the upstream, each as processes of its own, and what they use."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.front.upstream import MODELS
from benchmarks.harness import ROOT, NotMeasured
from tests.helpers.real_ollama import free_port

SIDECAR = ROOT / "roles" / "image" / "files" / "sidecar"
LITELLM = ROOT / ".build" / "litellm" / "bin" / "litellm"
START_SECONDS = 90
KEYS = 10
NGINX = """
worker_processes 1; daemon off; pid nginx.pid; error_log nginx.err;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  upstream ollama {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://ollama; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Side:
    """A way to the upstream: the port that clients ask, the key that they show, and its first process."""

    port: int
    key: str = "none"
    pid: int = 0

    def cpu(self) -> float:
        """CPU seconds so far, those of its children included."""
        return sum(map(cpu_seconds, family(self.pid))) if self.pid else 0.0

    def rss_mb(self) -> float:
        """Memory in use, that of its children included."""
        return sum(map(resident_mb, family(self.pid))) if self.pid else 0.0


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and of all its threads, ended ones too.

    Read from its own clock (clock_getcpuclockid(3): the complement of the process id, shifted by three, and the number
    of the scheduler's clock), since /proc tells hundredths of seconds only.
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def family(pid: int) -> list[int]:
    """A process and all that come from it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text("utf-8").rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


@contextmanager
def upstream(folder: Path) -> Iterator[Side]:
    """The stub."""
    port = free_port()
    with running([sys.executable, "-m", "benchmarks.front.upstream", str(port)], {}, folder / "upstream.log") as pid:
        wait_for(port, pid, folder / "upstream.log")
        yield Side(port, pid=pid)


@contextmanager
def nginx(folder: Path, behind: int) -> Iterator[Side]:
    """A bare proxy. Raises NotMeasured where there is none."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if binary is None:
        raise NotMeasured("there is no nginx: the package nginx of the distribution has it")
    port = free_port()
    place = folder / "nginx"
    place.mkdir()
    (place / "nginx.conf").write_text(NGINX.format(upstream=behind, port=port), "utf-8")
    command = [binary, "-p", str(place), "-c", "nginx.conf", "-e", "nginx.err"]
    with running(command, {}, folder / "nginx.log") as pid:
        wait_for(port, pid, folder / "nginx.log")
        yield Side(port, pid=pid)


@contextmanager
def sidecar(folder: Path, behind: int, **given: str) -> Iterator[Side]:
    """Ours, with keys, metrics, admission and its access log. given: settings without their prefix."""
    shown = [f"pc-{secrets.token_urlsafe(32)}" for dummy in range(KEYS)]
    keys = [
        {"id": f"team-{number}", "sha256": hashlib.sha256(key.encode()).hexdigest(), "concurrency": 2048}
        for number, key in enumerate(shown)
    ]
    places = {name: f"127.0.0.1:{free_port()}" for name in ("LISTEN", "ADMIN_LISTEN", "METRICS_LISTEN")}
    settings = {
        **places,
        "UPSTREAM": f"http://127.0.0.1:{behind}",
        "KEYS": json.dumps(keys),
        "ALLOWED_MODELS": ",".join(MODELS),
        "NUM_PARALLEL": "1024",
        **given,
    }
    variables = {"PYTHONPATH": str(SIDECAR), **{f"SIDECAR_{name}": value for name, value in settings.items()}}
    port = int(settings["LISTEN"].rpartition(":")[2])
    with running([sys.executable, "-m", "ollama_sidecar"], variables, folder / "sidecar.log") as pid:
        wait_for(port, pid, folder / "sidecar.log")
        yield Side(port, shown[KEYS // 2], pid)


@contextmanager
def litellm(folder: Path, behind: int) -> Iterator[Side]:
    """LiteLLM's proxy, one worker, a master key and no database. Raises NotMeasured where it is not installed."""
    if not LITELLM.is_file():
        raise NotMeasured("there is no LiteLLM: `make litellm` installs it")
    port, key = free_port(), f"sk-{secrets.token_urlsafe(32)}"
    models = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"http://127.0.0.1:{behind}/v1",
                "api_key": "none",
            },
        }
        for name in MODELS
    ]
    config = folder / "litellm.yaml"  # JSON is YAML
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}), "utf-8")
    # Its own words for production; the map of costs would come from the network.
    variables = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    options = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    log = folder / "litellm.log"
    with running([str(LITELLM), "--config", str(config), *options], variables | {"HOME": str(folder)}, log) as pid:
        wait_for(port, pid, log)
        _alive(f"http://127.0.0.1:{port}/health/liveliness", log)
        yield Side(port, key, pid)


@contextmanager
def running(command: Sequence[str], variables: Mapping[str, str], log: Path) -> Iterator[int]:
    """A command until the block ends; yields its process."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env={**kept, **variables}, stdout=out, stderr=out, cwd=ROOT, start_new_session=True
        )
        try:
            yield process.pid
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(port: int, pid: int, log: Path) -> None:
    """Wait until something listens. Raises NotMeasured with the end of its log where it ends before, or takes long."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            ended = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
            if ended or time.monotonic() > deadline:
                raise NotMeasured(f"it does not listen: {log.read_text(errors='replace')[-2500:]}") from None
            time.sleep(0.05)


def _alive(url: str, log: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=START_SECONDS):
            pass
    except OSError as error:
        raise NotMeasured(f"it does not answer: {error}: {log.read_text(errors='replace')[-2500:]}") from None


def litellm_version() -> str:
    """The version of the peer."""
    probe = "from importlib.metadata import version; print(version('litellm'))"
    done = subprocess.run([str(LITELLM.with_name("python")), "-c", probe], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def nginx_version() -> str:
    """The version of the peer."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") or "nginx"
    done = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    return done.stderr.strip().rpartition("/")[2]

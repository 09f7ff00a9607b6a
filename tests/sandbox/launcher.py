# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the sandbox together: one runtime, one fault switch, two clouds behind gates, the control API, the exports."""

from __future__ import annotations

import importlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.sandbox.client import SandboxClient
from tests.sandbox.control import ControlApi
from tests.sandbox.faults import CLOUDS, FaultSwitch
from tests.sandbox.http import Cloud, Gate, RequestLog, Server
from tests.sandbox.runtime import ProcessRuntime, stop_leftovers

# What would lead a tool past the exports to a real account.
UNSET = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_PROFILE",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_AUTHORITY_HOST",
)
# Where each cloud has its create_app.
FACTORIES = {"aws": "tests.sandbox.aws.app", "azure": "tests.sandbox.azure.cloud"}
LOOPBACK = "127.0.0.1,localhost,127.0.0.0/8"


class Sandbox:
    """The whole sandbox in this process. ``with Sandbox(path) as sandbox:`` starts and stops it."""

    def __init__(self, state_dir: Path, clouds: Sequence[str] = CLOUDS) -> None:
        self.state_dir = state_dir.resolve()
        self.state_dir.mkdir(parents=True, exist_ok=True)
        stop_leftovers(self.state_dir)
        self.runtime = ProcessRuntime(self.state_dir)
        self.switch = FaultSwitch()
        self.log = RequestLog()
        self.clouds: dict[str, Cloud] = {}
        self.seeds: dict[str, Any] = {}
        self._wanted = tuple(clouds)
        self._servers: dict[str, Server] = {}

    def start(self) -> Sandbox:
        """Start servers, seed the clouds and write env.sh and env.json."""
        try:
            for name in self._wanted:
                cloud = create_cloud(name, self.runtime, self.switch)
                self.clouds[name] = cloud
                self._servers[name] = Server(Gate(cloud, self.switch, self.log)).start()
            self._servers["control"] = Server(ControlApi(self)).start()
            self._seed()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop servers, clouds and workloads, and remove env.sh and env.json."""
        self.switch.closing.set()
        for server in self._servers.values():
            server.close()
        for cloud in self.clouds.values():
            cloud.close()
        self.runtime.close()
        for name in ("env.sh", "env.json"):
            (self.state_dir / name).unlink(missing_ok=True)

    def reset(self) -> dict[str, Any]:
        """Give every cloud its fresh, seeded state, switch all faults off, forget the log; return the seeds."""
        self.switch.reset()
        for cloud in self.clouds.values():
            cloud.reset()
        self.runtime.stop_all()
        self._seed()
        return self.seeds

    @property
    def client(self) -> SandboxClient:
        """Return a client of this sandbox's control API."""
        return SandboxClient(self._servers["control"].url)

    @property
    def exports(self) -> dict[str, str]:
        """Return the environment that points any tool at the sandbox."""
        ours = {"CONTROL": self._servers["control"].url, "STATE": str(self.state_dir)}
        exports = {f"POLYCLOUD_SANDBOX_{key}": value for key, value in ours.items()} | _without_proxy(os.environ)
        if "aws" in self._servers:
            exports |= _aws_exports(self._servers["aws"].url)
        if "azure" in self._servers:
            exports |= _azure_exports(self._servers["azure"].url, self.seeds["azure"])
        return exports

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return ``base`` (default: our own environment) with the exports, and without what would bypass them."""
        kept = {key: value for key, value in (os.environ if base is None else base).items() if not _bypasses(key)}
        return {**kept, **self.exports}

    def describe(self) -> dict[str, Any]:
        """Return what env.json holds."""
        return {
            "pid": os.getpid(),
            "urls": {name: server.url for name, server in self._servers.items()},
            "exports": self.exports,
            "seeds": self.seeds,
        }

    def shell_lines(self) -> str:
        """Return ``unset`` and ``export`` lines for a POSIX shell."""
        unset = [f"unset {' '.join(UNSET)}"]
        return "\n".join(unset + [f"export {key}={shlex.quote(value)}" for key, value in self.exports.items()]) + "\n"

    def _seed(self) -> None:
        self.seeds = {name: cloud.seed() for name, cloud in self.clouds.items()}
        self.log.clear()
        (self.state_dir / "env.sh").write_text(self.shell_lines(), "utf-8")
        (self.state_dir / "env.json").write_text(json.dumps(self.describe(), indent=2) + "\n", "utf-8")

    def __enter__(self) -> Sandbox:
        """Start."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


def create_cloud(name: str, runtime: ProcessRuntime, switch: FaultSwitch) -> Cloud:
    """Create one emulated cloud; its packages are imported only here, since they take a second."""
    cloud: Cloud = importlib.import_module(FACTORIES[name]).create_app(runtime, switch)
    return cloud


def _aws_exports(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox-only",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # A user's own files may name another endpoint or account.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _azure_exports(url: str, seeds: Mapping[str, Any]) -> dict[str, str]:
    return {
        "AZURE_RESOURCE_MANAGER_ENDPOINT": url,
        "AZURE_SUBSCRIPTION_ID": seeds["subscription_id"],
        "AZURE_TENANT": seeds["tenant_id"],
        "AZURE_CLIENT_ID": seeds["client_id"],
        "AZURE_SECRET": "sandbox-only",
        "AZURE_DISABLE_INSTANCE_DISCOVERY": "true",
    }


def _without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """Return NO_PROXY, in both spellings, with loopback added."""
    given = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    value = given if LOOPBACK in given else ",".join(filter(None, (given, LOOPBACK)))
    return {"NO_PROXY": value, "no_proxy": value}


def _bypasses(key: str) -> bool:
    """Say whether a variable would lead a tool past the sandbox, such as AWS_ENDPOINT_URL_ECS."""
    return key in UNSET or key.startswith("AWS_ENDPOINT_URL_")

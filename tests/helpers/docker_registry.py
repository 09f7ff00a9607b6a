# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real docker-registry (Debian's package) on loopback, and models pushed to it, for tests marked `real`."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.helpers.real_ollama import free_port, wait_until_up
from tests.helpers.tiny_model import Packed

START_SECONDS = 20
CONFIG = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@dataclass(frozen=True)
class DockerRegistry:
    """A running registry. log: what it wrote, a line for each request."""

    url: str
    log: Path

    @property
    def host(self) -> str:
        """Address and port, as images name it."""
        return self.url.partition("://")[2]

    def requests(self, method: str) -> int:
        """How many requests of a method it has answered so far."""
        return self.log.read_text(errors="replace").count(f'"{method} /v2/')

    def push(self, models: Path, packed: Packed) -> None:
        """Put a packed model into C(library/<name>), as `ollama push` would."""
        manifest = packed.manifest.read_bytes()
        content = json.loads(manifest)
        name, tag = packed.name.split(":")
        for blob in (content["config"], *content["layers"]):
            self._put_blob(f"library/{name}", blob["digest"], models / "blobs" / blob["digest"].replace(":", "-"))
        self._send("PUT", f"{self.url}/v2/library/{name}/manifests/{tag}", manifest, content["mediaType"])

    def _put_blob(self, repository: str, digest: str, path: Path) -> None:
        place = self._send("POST", f"{self.url}/v2/{repository}/blobs/uploads/", b"")
        where = urljoin(self.url, place)
        where += ("&" if "?" in where else "?") + f"digest={digest}"
        self._send("PUT", where, path.read_bytes())

    def _send(self, method: str, url: str, body: bytes, media: str = "application/octet-stream") -> str:
        request = urllib.request.Request(url, body, {"Content-Type": media}, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.headers.get("Location", ""))


@contextmanager
def running_registry(folder: Path, htpasswd: str = "") -> Iterator[DockerRegistry]:
    """Run an empty registry until the block ends. htpasswd: a line of such a file (bcrypt), for a login."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("docker-registry is not installed (Debian: docker-registry)")
    port = free_port()
    config = CONFIG.format(root=folder / "data", port=port)
    if htpasswd:
        (folder / "htpasswd").write_text(f"{htpasswd}\n")
        config += f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"
    (folder / "config.yml").write_text(config)
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log) as server,
    ):
        try:
            wait_until_up(f"http://127.0.0.1:{port}/v2/", server, folder / "log", START_SECONDS)
            yield DockerRegistry(f"http://127.0.0.1:{port}", folder / "log")
        finally:
            server.terminate()


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """An empty registry, for all tests."""
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry

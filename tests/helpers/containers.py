# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A docker daemon and a base image of our own, for tests marked `real`.

The daemon makes no bridge and no firewall rules: builds use the host's network, containers none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.docker_registry import DockerRegistry
from tests.helpers.modules import ROOT

BASE = ROOT / ".build" / "base" / "bookworm.tar"
START_SECONDS = 60
# Debian's own client has BuildKit inside; another one on PATH may need a plugin that is not there.
CLIENTS = ("/usr/bin/docker", "docker")


def needed(*programs: str) -> None:
    """Skip the test where it cannot run, and say why."""
    if os.geteuid() != 0:
        pytest.skip("a docker daemon of our own needs root")
    missing = [program for program in programs if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if missing:
        packages = "docker.io docker-registry buildah podman debootstrap"
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: {packages})")


@dataclass(frozen=True)
class Docker:
    """A daemon. client: the program; host: value of DOCKER_HOST."""

    client: str
    host: str

    @property
    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.host}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the client; with `check` a failure fails the test with what it said."""
        command = [self.client, *arguments]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done


@contextmanager
def running(command: list[str], log: Path, ready: Callable[[], bool]) -> Iterator[None]:
    """Run a server until the block ends; the block starts when `ready` says so."""
    with log.open("wb") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=stream)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not ready():
                assert server.poll() is None, log.read_text(errors="replace")
                assert time.monotonic() < deadline, log.read_text(errors="replace")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait(timeout=30)


@contextmanager
def docker_daemon(folder: Path) -> Iterator[Docker]:
    """Run a daemon with all its state in `folder`, which should be short: a socket's path has 108 characters."""
    needed("dockerd", "docker")
    client = next(program for program in CLIENTS if shutil.which(program))
    docker = Docker(client, f"unix://{folder}/docker.sock")
    places = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    network = ["--bridge=none", "--iptables=false", "--ip-masq=false", "--insecure-registry=127.0.0.0/8"]
    command = ["dockerd", f"--host={docker.host}", *places, *network]
    try:
        with running(command, folder / "dockerd.log", lambda: docker.run("info", check=False).returncode == 0):
            yield docker
    finally:
        _unmount_below(folder)


def _unmount_below(folder: Path) -> None:
    """Unmount what engines leave behind: the network namespace of builds, and layers."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    for place in sorted((place for place in mounted if place.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", place], check=True)


def base_archive() -> Path:
    """A small Debian with Python as a tar file, made once."""
    if not BASE.is_file():
        needed("debootstrap")
        tree = BASE.parent / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        BASE.parent.mkdir(parents=True, exist_ok=True)
        options = ["--variant=minbase", "--include=python3-minimal,libpython3-stdlib"]
        subprocess.run(["debootstrap", *options, "bookworm", str(tree)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["tar", "-C", str(tree), "-cf", f"{BASE}.new", "."], check=True)
        Path(f"{BASE}.new").rename(BASE)
        shutil.rmtree(tree)
    return BASE


def own_layers(docker: Docker, tag: str) -> list[int]:
    """Bytes of each layer of a built image that is neither its base, nor Ollama, nor a model; unpacked."""
    given = ("import", "/usr/bin/ollama", "/usr/lib/ollama", "/opt/ollama/models")
    history = docker.run("history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", tag)
    # The last line is the base.
    lines = [line.split("\t", 1) for line in history.stdout.splitlines()][:-1]
    return [int(size) for size, made in lines if not any(name in made for name in given)]


def push_base(docker: Docker, registry: DockerRegistry) -> str:
    """Bring the base into the registry; its reference with the digest."""
    tag = f"{registry.host}/base:bookworm"
    docker.run("import", str(base_archive()), tag)
    docker.run("push", "--quiet", tag)
    digests = docker.run("inspect", "--format", "{{index .RepoDigests 0}}", tag).stdout.strip()
    return f"{tag}@{digests.partition('@')[2]}"

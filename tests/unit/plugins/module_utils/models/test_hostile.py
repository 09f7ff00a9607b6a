# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile names, digests, manifests and servers: one clear line, nothing outside of the target, little memory.

Each case goes through the program, in a process of its own whose memory is looked at, and through the module. Next to
the target lie files that must stay as they are; in it lies a good model that must stay whole.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.models.limits import Limits
from ansible_collections.polycloud.ollama.plugins.module_utils.models.transport import Transport
from tests.helpers.in_process import run_in_process
from tests.helpers.modules import module_environment
from tests.helpers.registry import MANIFEST_TYPE, Registry, Start, sha256

WEIGHTS = b"w" * 300_000
WRONG = sha256(b"something else")
MIB, GB = 1024 * 1024, 10**9
MOST_MEMORY = 200 * MIB  # of the process; Python with the fetcher takes about 30
WASTED = 0.3  # seconds that a server may waste where that is the case, so that it takes no minutes
PROGRAM = """
import sys
from ansible_collections.polycloud.ollama.plugins.module_utils.models import cli, limits, transport
limits.Limits.__init__.__defaults__ = LIMITS
transport.Transport.__init__.__kwdefaults__["timeout"] = LIMITS[0]
code = cli.main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024)
sys.exit(code)
"""

Script = Callable[[BaseHTTPRequestHandler], None]


class Case(NamedTuple):
    """What is asked for, how the registry is made hostile, and what is said (one of several, with | between).

    login: credentials are sent. patience: of a connection, in seconds.
    """

    said: str
    prepare: Callable[[Registry, Registry], None] = lambda registry, stranger: None
    name: str = "tiny"
    login: bool = False
    patience: float = 10.0

    @property
    def limits(self) -> tuple[Any, ...]:
        """The fields of Limits."""
        return (self.patience, 64 * MIB, 2, 0.01, 0.02, 30.0, self.patience, 64 * 1024)

    def assert_clear(self, line: str) -> None:
        assert line.isprintable()
        assert len(line) < 1000
        assert [part for part in self.said.split("|") if part in line], line


def wastes(said: str, kind: str, script: Script) -> Case:
    """A case of a server that only wastes time."""
    return Case(said, answers(kind, script), patience=WASTED)


def sends(body: bytes, headers: Mapping[str, str] | None = None, *, length: int | None = None) -> Script:
    """Answer 200 with a body, whatever was asked for. length: what the header tells, where it lies; -1 for none."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Type": MANIFEST_TYPE, "Connection": "close", **(headers or {})}.items():
            handler.send_header(name, value)
        if length != -1:
            handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return script


def endless(length: int | None) -> Script:
    """Zeros, as many as are taken up to 10 GB, with or without a length."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        sends(b"", length=length or -1)(handler)
        for dummy in range(10 * GB // MIB):
            handler.wfile.write(bytes(MIB))

    return script


def drips(head: bytes, drop: bytes = b"x", seconds: float = 0.05) -> Script:
    """Send `head`, then a drop now and then, for ever."""

    def script(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        while True:
            handler.wfile.write(drop)
            handler.wfile.flush()
            time.sleep(seconds)

    return script


def is_silent(handler: BaseHTTPRequestHandler) -> None:
    """Promise a body and send none of it."""
    sends(b"", length=300_000)(handler)
    time.sleep(2 * WASTED)


def manifest(*layers: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> bytes:
    good = {"mediaType": "config", "digest": sha256(b"{}"), "size": 2}
    body = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config or good, "layers": list(layers)}
    return json.dumps(body).encode()


def layer(digest: str = sha256(WEIGHTS), size: int = len(WEIGHTS)) -> dict[str, Any]:
    return {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": size}


def gives(raw: bytes) -> Callable[[Registry, Registry], None]:
    """The registry has this manifest, and the blobs that a good one would name."""
    return lambda registry, stranger: registry.manifests.update({("library/tiny", "latest"): raw})


def answers(kind: str, script: Script) -> Callable[[Registry, Registry], None]:
    return lambda registry, stranger: registry.scripts.update({kind: script})


def changes_blob(registry: Registry, stranger: Registry) -> None:
    registry.blobs[sha256(WEIGHTS)] = b"x" * len(WEIGHTS)


def redirects(target: str) -> Callable[[Registry, Registry], None]:
    return lambda registry, stranger: setattr(registry.faults, "location", target)


def redirects_to_a_stranger(registry: Registry, stranger: Registry) -> None:
    registry.auth, stranger.auth = "basic", "basic"
    registry.faults.location = stranger.url


def sends_for_tokens_to_a_stranger(registry: Registry, stranger: Registry) -> None:
    registry.auth, registry.realm = "token", "https://tokens.example.org/token"


PROMISE = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"

CASES = {
    "a name with traversal": Case("is not the name of a model|must be name|must not name", name="../../outside"),
    "an absolute name": Case("is not the name of a model|must be name|must not name", name="/etc/passwd"),
    "a name with a line break": Case(
        "is not the name of a model|must be name|must not name", name="tiny\nmodels: error: none"
    ),
    "a digest with traversal": Case("must be a sha256 digest", name=f"tiny@sha256:../../{'a' * 58}"),
    "a layer with traversal": Case("is not sha256:", gives(manifest(layer("sha256:../../outside/canary")))),
    "a config with traversal": Case("is not sha256:", gives(manifest(layer(), config=layer("sha256-../x")))),
    "a manifest that says 10 GB": Case("larger than 4194304 bytes", answers("manifests", endless(10 * GB))),
    "a manifest of 10 GB without length": Case("larger than 4194304 bytes", answers("manifests", endless(None))),
    "a manifest with a million layers": Case(
        "1 to 1000 layers", gives(b'{"config":{},"layers":[' + b"1," * 999_999 + b"1]}")
    ),
    "a manifest of nested lists": Case("is not JSON", gives(b"[" * MIB)),
    "a manifest with a number of a megabyte": Case("is not JSON", gives(b'{"config":' + b"9" * MIB + b"}")),
    "a packed gigabyte as manifest": Case(
        "is not JSON", answers("manifests", sends(gzip.compress(bytes(64 * MIB)), {"Content-Encoding": "gzip"}))
    ),
    "another manifest than the pinned one": Case("is pinned to", name=f"tiny@{WRONG}"),
    "a blob of another digest": Case("has another sha256 than its name", changes_blob),
    "a packed blob": Case(
        "has 350 bytes", answers("blobs", sends(gzip.compress(WEIGHTS).ljust(350), {"Content-Encoding": "gzip"}))
    ),
    "a blob that is shorter than told": Case("has 300000 bytes", gives(manifest(layer(size=300_001)))),
    "a blob that is longer than told": Case("has 300000 bytes", gives(manifest(layer(size=299_999)))),
    "a blob that is shorter, without length": Case("cut off", answers("blobs", sends(b"w", length=-1))),
    "a blob that is longer, without length": Case("is longer", answers("blobs", sends(WEIGHTS * 9, length=-1))),
    "an endless blob": Case("is longer", answers("blobs", endless(None))),
    "a blob of 500 TB": Case("bytes for the missing blobs", gives(manifest(layer(size=500 * 1000 * GB)))),
    "a blob of more than there is": Case("has no size in bytes", gives(manifest(layer(size=2**70)))),
    "a blob of less than nothing": Case("has no size in bytes", gives(manifest(layer(size=-1)))),
    "a redirect in circles": Case("redirects more than 5 times", redirects("loop")),
    "a redirect to a file": Case("is not an http(s) URL", redirects("file:///etc/passwd?")),
    "a redirect to a stranger who wants the login": Case("refuses|failed: 401", redirects_to_a_stranger, login=True),
    "a stranger who gives tokens": Case("which is not done", sends_for_tokens_to_a_stranger, login=True),
    "a manifest that drips": wastes("too slowly", "manifests", drips(PROMISE)),
    "a header that drips": wastes("timed out", "manifests", drips(b"HTTP/1.1 200 OK\r\nX: ")),
    "a chunk whose size drips": wastes("timed out", "manifests", drips(CHUNK)),
    "a blob that drips": wastes("too slowly", "blobs", drips(PROMISE)),
    "a header of a blob that drips": wastes("timed out", "blobs", drips(b"HTTP/1.1 200 OK\r\nX: ")),
    "a blob whose chunks drip": wastes("timed out", "blobs", drips(CHUNK)),
    "a blob that never comes": wastes("timed out", "blobs", is_silent),
    "endless headers": wastes("gave no whole answer", "manifests", drips(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n", 0)),
}


class Place(NamedTuple):
    """A folder with the target and its neighbours, and the registries."""

    parent: Path
    target: Path
    registry: Registry
    stranger: Registry

    def all_files(self) -> dict[str, str]:
        """What must not change: everything but the target's own notes and what is half fetched."""
        return {
            str(path.relative_to(self.parent)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            for path in sorted(self.parent.rglob("*"))
            if "-partial" not in path.name and not path.is_relative_to(self.target / ".polycloud")
        }


@pytest.fixture(params=CASES.items(), ids=lambda item: str(item[0]))
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param[1]
    return found


@pytest.fixture
def place(start_registry: Start, tmp_path: Path, case: Case) -> Place:
    registry, stranger = start_registry(), start_registry()
    registry.add("library/good", "1", b"good")
    registry.add("library/tiny", "latest", WEIGHTS)
    for neighbour in ("outside/canary", "work/canary", "temporary/canary"):
        (tmp_path / neighbour).parent.mkdir()
        (tmp_path / neighbour).write_text("sings")
    target = tmp_path / "models"
    made = Place(tmp_path, target, registry, stranger)
    assert run(made, "good:1", case.limits)[0].returncode == 0
    case.prepare(registry, stranger)
    return made


def run(
    place: Place, name: str, limits: tuple[Any, ...], login: Mapping[str, str] | None = None
) -> tuple[subprocess.CompletedProcess[str], int]:
    """The program's end, and the most bytes of memory that it had."""
    program = [sys.executable, "-c", PROGRAM.replace("LIMITS", repr(limits))]
    done = subprocess.run(
        [*program, "pull", "--registry", place.registry.url, "--into", str(place.target), "--", name],
        cwd=place.parent / "work",
        env=module_environment({"TMPDIR": str(place.parent / "temporary"), **(login or {})}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done, int(done.stdout.split()[-1])


def login_of(place: Place) -> dict[str, str]:
    return {
        "POLYCLOUD_REGISTRY_USERNAME": place.registry.user,
        "POLYCLOUD_REGISTRY_PASSWORD": place.registry.password,
    }


def assert_unchanged(place: Place, before: dict[str, str]) -> None:
    assert place.all_files() == before
    assert not [request for request in place.stranger.requests if "Authorization" in request.headers]


def test_the_program_ends_in_one_clear_line_and_leaves_nothing_outside(place: Place, case: Case) -> None:
    before = place.all_files()
    done, memory = run(place, case.name, case.limits, login_of(place) if case.login else None)
    assert_unchanged(place, before)
    assert done.returncode == 1
    *progress, last = done.stderr.splitlines()
    assert last.startswith("models: error: ")
    case.assert_clear(last)
    assert not [line for line in progress if "error" in line or "Traceback" in line], progress
    assert place.registry.password not in done.stdout + done.stderr
    assert memory < MOST_MEMORY


def test_the_module_ends_in_one_clear_line_and_leaves_nothing_outside(
    place: Place, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Limits.__init__, "__defaults__", case.limits)
    monkeypatch.setitem(Transport.__init__.__kwdefaults__ or {}, "timeout", case.patience)
    name, dummy, digest = case.name.partition("@")
    fetch = {"into": str(place.target), "registry": place.registry.url}
    if case.login:
        fetch |= {"username": place.registry.user, "password": place.registry.password}
    before = place.all_files()
    result = run_in_process("ollama_model", {"name": name, "digest": digest or None, "fetch": fetch}, fails=True)
    assert_unchanged(place, before)
    case.assert_clear(result["msg"])
    assert "Traceback" not in json.dumps(result)
    assert place.registry.password not in result["msg"]

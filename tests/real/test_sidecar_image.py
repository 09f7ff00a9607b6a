# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image of the sidecar: built, examined and pushed as Ollama's is, and then run in front of the real Ollama.

Both containers are hardened and share one network that reaches nothing else, as in a task of ECS or a pod.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.containers import own_layers
from tests.helpers.image_yard import HARDENED, HOME, Built, Container, Yard
from tests.helpers.modules import run_module
from tests.helpers.sidecar_image import sidecar_evidence

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]
MIB = 1024 * 1024
MODEL = "tiny:latest"
# Nothing is writable, not even /tmp.
LOCKED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
OLLAMA, PUBLIC, METRICS = (f"http://127.0.0.1:{port}" for port in (11434, 8080, 9091))
TOKENS = 1800
# Of three tokens at a time the end is hardly ever one, so that the stream is as long as it may be.
LONG = {"num_predict": TOKENS, "seed": 1, "temperature": 1, "top_k": 3}
# One request: status and body as JSON.
REQUEST = """
import json, sys, urllib.error, urllib.request
url, body = sys.argv[1:]
try:
    with urllib.request.urlopen(urllib.request.Request(url, body.encode() or None), timeout=60) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
except OSError as error:
    print(json.dumps([0, str(error)]))
"""
# Asks until it is ready. A line of JSON for each look: the models in memory just before, the status, the reason.
WATCH = """
import json, sys, time, urllib.error, urllib.request
ollama, ready = sys.argv[1:]
def get(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, {}
end = time.monotonic() + 60
status = 0
while status != 200 and time.monotonic() < end:
    loaded = [model["model"] for model in get(ollama)[1].get("models", [])]
    status, said = get(ready)
    print(json.dumps([loaded, status, said.get("reason", "")]))
    time.sleep(0.02)
"""
# A stream: each line with the time at which it came.
STREAM = """
import json, sys, time, urllib.request
url, body = sys.argv[1:]
with urllib.request.urlopen(urllib.request.Request(url, body.encode()), timeout=60) as answer:
    for line in answer:
        print(json.dumps([time.monotonic(), json.loads(line)]), flush=True)
"""


@dataclass
class Pair:
    """A sidecar and, from `begin` on, the Ollama behind it, in the sidecar's network."""

    yard: Yard
    image: str
    sidecar: Container
    ollama: Container | None = None

    def begin(self, **environment: str) -> Container:
        """Start Ollama, on loopback only, and told that there is a sidecar."""
        given = {"OLLAMA_HOST": "127.0.0.1:11434", "POLYCLOUD_SIDECAR": "127.0.0.1:8080", **environment}
        options = [option for option in HARDENED if not option.startswith("--network")]
        variables = [f"--env={name}={value}" for name, value in given.items()]
        network = f"--network=container:{self.sidecar.name}"
        self.ollama = Container(self.yard.docker, self.image, *options, HOME, network, *variables)
        return self.ollama

    def inside(self, program: str, *arguments: str) -> list[str]:
        """A command that runs a Python program in the network of the two, and outside of their containers."""
        pid = self.yard.docker.run("inspect", "--format", "{{.State.Pid}}", self.sidecar.name).stdout.strip()
        return ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", program, *arguments]

    def ask(self, url: str, body: Any = None) -> tuple[int, str]:
        """The status and the body of an answer; 0 where there is none."""
        command = self.inside(REQUEST, url, json.dumps(body) if body else "")
        status, said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return int(status), str(said)

    def until_listening(self) -> None:
        deadline = time.monotonic() + 60
        while self.ask(f"{PUBLIC}/livez")[0] != 200:
            assert time.monotonic() < deadline, self.sidecar.said()

    def until_ready(self) -> list[tuple[list[str], int, str]]:
        """What was seen on the way."""
        command = self.inside(WATCH, f"{OLLAMA}/api/ps", f"{PUBLIC}/readyz")
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    def exit_code(self, container: Container) -> int:
        return int(self.yard.docker.run("inspect", "--format", "{{.State.ExitCode}}", container.name).stdout)

    def stop(self) -> None:
        for container in filter(None, (self.ollama, self.sidecar)):
            container.stop()


@pytest.fixture
def pair(yard: Yard, built: Built, sidecar_image: Built) -> Iterator[Pair]:
    """A sidecar that listens, with no Ollama behind it yet."""
    settings = ("--env=SIDECAR_MODELS=tiny", "--env=SIDECAR_POLL_SECONDS=0.2")
    container = Container(yard.docker, sidecar_image.result["reference"], *LOCKED, "--network=none", *settings)
    pair = Pair(yard, built.result["reference"], container)
    try:
        pair.until_listening()
        yield pair
    finally:
        pair.stop()


def test_one_command_builds_examines_signs_pushes_and_tells_the_digest(
    sidecar_image: Built, sidecar_builds: Yard
) -> None:
    reference = sidecar_image.result["reference"]
    assert re.fullmatch(re.escape(f"{sidecar_builds.images.host}/team/sidecar") + "@sha256:[0-9a-f]{64}", reference)
    assert re.search(
        rf'"?image_sidecar_reference"?: "?{reference}', sidecar_image.output.rpartition("Tell the image")[2]
    )
    assert re.fullmatch(r"0\.1\.0-python3\.11-[0-9a-f]{12}", sidecar_image.result["tag"])
    assert sidecar_image.result["gates"] == dict.fromkeys(["lint", "scan", "sbom", "signature"], "passed")
    assert sidecar_image.result["labels"]["polycloud.ollama.inputs"] == sidecar_image.result["inputs"]
    assert sidecar_image.result["labels"]["org.opencontainers.image.title"] == "Ollama sidecar"


def test_the_sbom_lists_the_packages_of_the_lock(sidecar_image: Built, sidecar_builds: Yard) -> None:
    parts = sidecar_evidence(sidecar_builds, "sbom.cdx.json")["components"]
    listed = {part["name"].replace("_", "-").lower(): part.get("version") for part in parts}
    lock = Path(__file__).parents[2] / "roles" / "image" / "files" / "sidecar" / "requirements.txt"
    pinned = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", lock.read_text()))
    assert len(pinned) > 15
    assert {name: listed.get(name) for name in pinned} == pinned


def test_the_same_inputs_again_change_nothing(sidecar_image: Built, sidecar_builds: Yard) -> None:
    before = [sidecar_builds.images.requests(method) for method in ("POST", "PUT", "PATCH")]
    again = sidecar_builds.build()
    assert (again.changed, sidecar_evidence(sidecar_builds, "sidecar.json")) == (0, sidecar_image.result)
    assert [sidecar_builds.images.requests(method) for method in ("POST", "PUT", "PATCH")] == before


def test_one_description_of_both_builds_both(
    yard: Yard, built: Built, sidecar_image: Built, sidecar_builds: Yard
) -> None:
    wanted = ("image_sidecar_repository", "image_sidecar_base", "image_sidecar_python")
    both = yard.build(**{name: sidecar_builds.variables[name] for name in wanted})
    assert (both.changed, both.result) == (0, built.result)
    for image in (built, sidecar_image):
        assert image.result["reference"] in both.output


def test_the_layer_is_small_and_the_same_in_every_build(yard: Yard, sidecar_image: Built, sidecar_builds: Yard) -> None:
    found = yard.docker.run("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    tag = next(name for name in found if name.endswith(f"/team/sidecar:{sidecar_image.result['tag']}"))
    ours = own_layers(yard.docker, tag)
    print(f"beyond the base: {sum(ours) / MIB:.1f} MiB")
    assert MIB < sum(ours) <= 60 * MIB
    change = {"image_sidecar_repository": f"{yard.images.host}/team/again", "image_cosign_key": ""}
    place = str(yard.folder / "sidecar" / "again")
    sidecar_builds.build(
        image_build_options=["--no-cache"], image_evidence_folder=place, image_scan="skip", image_sbom="skip", **change
    )
    again = json.loads((Path(place) / "sidecar" / "sidecar.json").read_text())
    first, second = (
        run_module("container_image_info", {"image": image["reference"]})["layers"]
        for image in (sidecar_image.result, again)
    )
    assert first == second


def test_another_python_than_was_said_ends_the_build(sidecar_builds: Yard) -> None:
    refused = sidecar_builds.attempt(image_sidecar_python="3.12", image_scan="skip", image_sbom="skip")
    assert refused.code != 0
    assert "the base has Python 3.11, and image_sidecar_python is 3.12" in refused.output
    assert "Push the image" not in refused.output


def test_it_runs_as_a_user_that_can_write_nothing_and_says_that_it_lives(pair: Pair) -> None:
    docker, name = pair.yard.docker, pair.sidecar.name
    program = "import os; print(os.getuid(), os.getgid(), os.access('/tmp', os.W_OK), os.access('/opt', os.W_OK))"
    assert docker.run("exec", name, "python3", "-c", program).stdout.split() == ["10001", "10001", "False", "False"]
    assert docker.run("diff", name).stdout == ""
    health = docker.run("exec", name, "python3", "-m", "ollama_sidecar.livez", check=False)
    assert (health.returncode, health.stderr) == (0, "")
    config = json.loads(docker.run("inspect", "--format", "{{json .Config}}", name).stdout)
    assert config["StopSignal"] == "SIGTERM"
    assert {"8080/tcp", "9091/tcp"} <= set(config["ExposedPorts"])
    assert config["Healthcheck"]["Test"] == ["CMD", "python3", "-m", "ollama_sidecar.livez"]


def test_it_is_ready_only_when_the_model_is_in_memory(pair: Pair) -> None:
    status, said = pair.ask(f"{PUBLIC}/readyz")
    assert (status, json.loads(said)["reason"]) == (503, "Ollama does not answer")
    pair.begin()
    seen = pair.until_ready()
    assert [status for dummy, status, _reason in seen[:-1] if status != 503] == []
    assert seen[-1][1:] == (200, "")
    assert {reason for dummy, _status, reason in seen[:-1]} <= {"Ollama does not answer", f"{MODEL} is not in memory"}
    loaded = json.loads(pair.ask(f"{OLLAMA}/api/ps")[1])["models"]
    assert [model["model"] for model in loaded] == [MODEL]


def test_a_prompt_goes_through_is_counted_and_administration_does_not(pair: Pair) -> None:
    pair.begin()
    pair.until_ready()
    status, said = pair.ask(f"{PUBLIC}/api/generate", {"model": "tiny", "prompt": "hello", "stream": False})
    answer = json.loads(said)
    assert (status, answer["done"]) == (200, True)
    assert pair.ask(f"{PUBLIC}/api/delete", {"model": "tiny"})[0] in (404, 405)
    assert pair.ask(f"{METRICS}/api/generate", {"model": "tiny"})[0] in (404, 405)
    metrics = pair.ask(f"{METRICS}/metrics")[1]
    counted = re.search(r'(?m)^ollama_requests_total\{[^}]*code="200"[^}]*\} (\S+)$', metrics)
    assert counted, metrics
    assert float(counted[1]) == 1
    generated = re.search(r"(?m)^ollama_generated_tokens_total\{[^}]*\} (\S+)$", metrics)
    assert generated, metrics
    assert float(generated[1]) == answer["eval_count"]


def test_a_stream_ends_complete_though_both_are_stopped_at_the_same_moment(pair: Pair) -> None:
    ollama = pair.begin()
    pair.until_ready()
    body = {"model": "tiny", "prompt": "hello", "options": LONG}
    command = pair.inside(STREAM, f"{PUBLIC}/api/generate", json.dumps(body))
    docker = [pair.yard.docker.client, "--host", pair.yard.docker.host]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        first = client.stdout.readline()
        stopped = time.monotonic()
        stops = [
            subprocess.Popen([*docker, "stop", "--time=60", name.name], stdout=subprocess.DEVNULL)
            for name in (ollama, pair.sidecar)
        ]
        lines = [json.loads(line) for line in (first, *client.stdout)]
    assert [stop.wait() for stop in stops] == [0, 0]
    assert client.returncode == 0
    ended, last = lines[-1]
    assert last["done"], pair.sidecar.said() + ollama.said()
    assert last["eval_count"] == TOKENS
    print(f"the stream ended {ended - stopped:.1f} s after both were told to stop")
    assert ended - stopped > 0.5, "the stream was too short to prove anything"
    assert f"waiting for the sidecar at {PUBLIC.partition('://')[2]}" in ollama.said()
    assert (pair.exit_code(pair.sidecar), pair.exit_code(ollama) in (0, 143)) == (0, True)

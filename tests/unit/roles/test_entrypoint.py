# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image's start script: models reach a volume once and whole, and Ollama starts with those of one of the two."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.tree import ROOT

SCRIPT = ROOT / "roles" / "image" / "files" / "entrypoint.sh"
OLLAMA = """#!/bin/sh
trap 'echo stopped; exit 7' TERM
echo "models=$OLLAMA_MODELS noprune=$OLLAMA_NOPRUNE args=$*"
[ -z "${STAY:-}" ] || while :; do sleep 0.05; done
"""
WEIGHTS = b"weights " * 20_000
TINY, OTHER = "registry.ollama.ai/library/tiny/latest", "registry.example.org/team/other/1"


def add_model(folder: Path, path: str, *layers: bytes) -> None:
    """Put a model into a models folder, as the fetcher does."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    for digest, layer in zip(digests, layers, strict=True):
        (folder / "blobs" / f"sha256-{digest}").write_bytes(layer)
    manifest = folder / "manifests" / path
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"layers": [{"digest": f"sha256:{digest}"} for digest in digests]}))


def tree(folder: Path) -> dict[str, bytes]:
    """Every blob and manifest by its path."""
    found = [path for kind in ("blobs", "manifests") for path in (folder / kind).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@dataclass
class Image:
    """An image's models, a volume, and a stand-in for Ollama that tells its models and arguments."""

    folder: Path

    @property
    def baked(self) -> Path:
        return self.folder / "baked"

    @property
    def volume(self) -> Path:
        return self.folder / "volume"

    @property
    def largest(self) -> Path:
        return max((self.volume / "blobs").iterdir(), key=lambda path: path.stat().st_size)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the script. `PROGRAMS` is a folder of programs that go before the system's."""
        path = os.pathsep.join(filter(None, [environment.pop("PROGRAMS", ""), os.environ["PATH"]]))
        given = {
            "PATH": path,
            "POLYCLOUD_BAKED_MODELS": str(self.baked),
            "POLYCLOUD_OLLAMA": str(self.folder / "ollama"),
            "OLLAMA_MODELS": str(self.volume),
        }
        return subprocess.Popen(
            ["sh", str(SCRIPT), *(arguments or ("serve",))],
            env={**given, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own stands for a container: its processes end together.
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[str, str]:
        """What Ollama said and what the script said."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        return out.strip(), err

    def copied(self, said: str) -> int:
        return said.count("polycloud: copying ")

    def serves(self, models: Path) -> str:
        return f"models={models} noprune=1 args=serve"

    def program(self, name: str, text: str) -> str:
        """A folder with a program that goes before the system's one."""
        folder = self.folder / "programs"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
        return str(folder)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image with two models that share a blob, and an empty volume."""
    made = Image(tmp_path)
    made.volume.mkdir()
    add_model(made.baked, TINY, WEIGHTS, b"parameters", b"shared")
    add_model(made.baked, OTHER, b"other weights", b"shared")
    (tmp_path / "ollama").write_text(OLLAMA)
    (tmp_path / "ollama").chmod(0o755)
    return made


def test_an_empty_volume_gets_every_model_and_is_served(image: Image) -> None:
    out, said = image.run()
    assert out == image.serves(image.volume)
    assert tree(image.volume) == tree(image.baked)
    assert image.copied(said) == 4


def test_a_seeded_volume_is_neither_copied_nor_read_again(image: Image) -> None:
    image.run()
    times = {path: path.stat().st_mtime_ns for path in (image.volume / "blobs").iterdir()}
    # Blobs are hashed only by this program, which now refuses them all.
    out, said = image.run(PROGRAMS=image.program("sha256sum", "exit 1"))
    assert (out, said) == (image.serves(image.volume), "")
    assert {path: path.stat().st_mtime_ns for path in (image.volume / "blobs").iterdir()} == times


def test_three_containers_at_once_make_one_copy(image: Image) -> None:
    started = [image.start() for dummy in range(3)]
    ended = [process.communicate(timeout=30) for process in started]
    assert [out.strip() for out, dummy in ended] == [image.serves(image.volume)] * 3
    assert sum(image.copied(said) for dummy, said in ended) == 4
    assert tree(image.volume) == tree(image.baked)


def test_a_container_waits_for_the_model_fetcher(image: Image) -> None:
    (image.volume / ".polycloud").mkdir()
    with (image.volume / ".polycloud" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = image.start()
        assert waiting.stderr is not None
        assert "waiting" in waiting.stderr.readline()
        assert list(image.volume.glob("blobs/*")) == []
    out, dummy = waiting.communicate(timeout=30)
    assert out.strip() == image.serves(image.volume)


def test_a_container_that_waits_too_long_serves_the_models_of_the_image(image: Image) -> None:
    (image.volume / ".polycloud").mkdir()
    with (image.volume / ".polycloud" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        out, said = image.run(POLYCLOUD_SEED_LOCK_SECONDS="0")
    assert out == image.serves(image.baked)
    assert "those of the image" in said


@pytest.mark.parametrize("damage", [b"", WEIGHTS[:-1], b"x" + WEIGHTS[1:]], ids=["empty", "short", "corrupt"])
@pytest.mark.parametrize("known", [True, False], ids=["seeded here", "found there"])
def test_a_damaged_blob_is_found_and_repaired_alone(image: Image, damage: bytes, known: bool) -> None:
    image.run()
    if not known:
        shutil.rmtree(image.volume / ".polycloud")
    image.largest.write_bytes(damage)
    out, said = image.run()
    assert out == image.serves(image.volume)
    assert image.copied(said) == 1
    assert tree(image.volume) == tree(image.baked)


def test_models_that_a_job_put_there_are_checked_once_and_not_copied(image: Image) -> None:
    shutil.copytree(image.baked, image.volume, dirs_exist_ok=True)
    assert image.copied(image.run()[1]) == 0
    assert image.run(PROGRAMS=image.program("sha256sum", "exit 1"))[1] == ""


def test_a_manifest_never_comes_before_its_blobs(image: Image) -> None:
    # Killed in the middle of the largest blob: the copy stops, as with a container that is killed.
    programs = image.program("cp", 'head -c 100 "$1" >"$2"; echo reached >&2; sleep 60')
    stopped = image.start(PROGRAMS=programs)
    assert stopped.stderr is not None
    while "reached" not in stopped.stderr.readline():
        pass
    os.killpg(stopped.pid, signal.SIGKILL)
    stopped.communicate(timeout=10)
    assert tree(image.volume) == {}
    assert (image.volume / ".polycloud" / "seeding").stat().st_size > 0
    assert image.run()[0] == image.serves(image.volume)
    assert tree(image.volume) == tree(image.baked)
    assert not (image.volume / ".polycloud" / "seeding").exists()


def test_a_copy_that_turns_out_wrong_is_not_kept(image: Image) -> None:
    out, said = image.run(PROGRAMS=image.program("cp", 'echo wrong >"$2"'))
    assert out == image.serves(image.baked)
    assert "could not be copied whole" in said
    assert tree(image.volume) == {}


def test_a_volume_that_is_full_is_left_alone_and_named(image: Image) -> None:
    out, said = image.run(PROGRAMS=image.program("df", "echo Avail; echo 0"))
    assert out == image.serves(image.baked)
    assert "0 KiB free" in said
    assert tree(image.volume) == {}


def test_a_volume_that_fills_up_while_it_is_written_is_named_too(image: Image) -> None:
    programs = image.program("cp", 'echo x >"$2"; echo "cp: No space left on device" >&2; exit 1')
    out, said = image.run(PROGRAMS=programs)
    assert out == image.serves(image.baked)
    assert "No space left on device" in said
    assert not (image.volume / ".polycloud" / "seeding").exists()


READ_ONLY = 'case "$*" in *volume*) exit 1 ;; esac; exec /bin/mkdir "$@"'


def test_a_read_only_volume_that_has_the_models_is_served(image: Image) -> None:
    image.run()
    before = (image.volume / ".polycloud" / "seeded").read_bytes()
    out, said = image.run(PROGRAMS=image.program("mkdir", READ_ONLY))
    assert (out, said) == (image.serves(image.volume), "")
    assert (image.volume / ".polycloud" / "seeded").read_bytes() == before


@pytest.mark.parametrize("missing", ["blob", "manifest", "all"])
def test_a_read_only_volume_that_lacks_something_is_not_served(image: Image, missing: str) -> None:
    image.run()
    if missing == "all":
        shutil.rmtree(image.volume)
        image.volume.mkdir()
    else:
        (image.largest if missing == "blob" else image.volume / "manifests" / TINY).unlink()
    out, said = image.run(PROGRAMS=image.program("mkdir", READ_ONLY))
    assert out == image.serves(image.baked)
    assert "cannot be written" in said


def test_a_lock_that_cannot_be_opened_does_not_end_the_container(image: Image) -> None:
    # What a read-only mount does to root too: a folder in its place cannot be opened for writing.
    lock = image.volume / ".polycloud" / "lock"
    lock.mkdir(parents=True)
    assert image.run()[0] == image.serves(image.baked)
    lock.rmdir()
    image.run()
    lock.unlink()
    lock.mkdir()
    assert image.run() == (image.serves(image.volume), "")


def test_without_a_volume_the_models_of_the_image_are_served(image: Image) -> None:
    missing = image.folder / "missing"
    out, said = image.run(OLLAMA_MODELS=str(missing))
    assert out == image.serves(image.baked)
    assert str(missing) in said
    assert not missing.exists()


def test_an_image_that_looks_at_its_own_models_copies_nothing(image: Image) -> None:
    assert image.run(OLLAMA_MODELS=str(image.baked)) == (image.serves(image.baked), "")


def test_an_image_built_for_baked_models_leaves_a_volume_alone(image: Image) -> None:
    assert image.run(POLYCLOUD_STORAGE="baked") == (image.serves(image.baked), "")
    assert list(image.volume.iterdir()) == []


def test_a_deployment_on_its_volume_alone_gets_nothing_of_the_image(image: Image) -> None:
    assert image.run(POLYCLOUD_STORAGE="volume") == (image.serves(image.volume), "")
    assert list(image.volume.iterdir()) == []


def test_an_image_without_models_serves_the_volume(image: Image) -> None:
    shutil.rmtree(image.baked)
    assert image.run() == (image.serves(image.volume), "")


def test_other_commands_than_serve_do_not_touch_the_volume(image: Image) -> None:
    out, said = image.run("run", "tiny", "two words")
    assert out.endswith("args=run tiny two words")
    assert said == ""
    assert list(image.volume.iterdir()) == []


def test_a_model_that_only_the_volume_has_stays(image: Image) -> None:
    add_model(image.volume, "registry.ollama.ai/library/mine/1", b"mine")
    mine = tree(image.volume)
    image.run()
    assert tree(image.volume) == {**tree(image.baked), **mine}


def test_a_newer_manifest_of_the_image_replaces_the_one_on_the_volume(image: Image) -> None:
    image.run()
    shutil.rmtree(image.baked / "manifests" / Path(TINY).parent)
    add_model(image.baked, TINY, b"newer weights")
    image.run()
    assert (image.volume / "manifests" / TINY).read_bytes() == (image.baked / "manifests" / TINY).read_bytes()


def test_ollama_takes_the_place_of_the_script_and_gets_its_signals(image: Image) -> None:
    process = image.start(STAY="1")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[0] == "stopped\n"
    assert process.returncode == 7


def test_a_stop_while_models_are_copied_ends_the_container_at_once(image: Image) -> None:
    process = image.start(PROGRAMS=image.program("cp", "echo reached >&2; sleep 60"))
    assert process.stderr is not None
    while "reached" not in process.stderr.readline():
        pass
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 143
    assert time.monotonic() - start < 5
    os.killpg(process.pid, signal.SIGKILL)


def test_a_seeded_volume_costs_the_same_whatever_number_of_blobs_it_has(image: Image) -> None:
    add_model(image.baked, "registry.ollama.ai/library/many/1", *(bytes([number]) * 9 for number in range(50)))
    image.run()
    calls = image.folder / "calls"
    for name in ("stat", "grep"):
        programs = image.program(name, f'echo {name} >>{calls}; exec {shutil.which(name)} "$@"')
    assert image.run(PROGRAMS=programs) == (image.serves(image.volume), "")
    assert sorted(calls.read_text().split()) == ["grep", "grep", "stat"]


def test_a_seeded_volume_is_served_while_another_process_writes_into_it(image: Image) -> None:
    image.run()
    with (image.volume / ".polycloud" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert image.run() == (image.serves(image.volume), "")


class Beside:
    """A container with a sidecar beside it, of which only the port is there."""

    def __init__(self, image: Image, **environment: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        where = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.process = image.start(**{"STAY": "1", "POLYCLOUD_SIDECAR": where, **environment})
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def stop(self) -> None:
        """SIGTERM, as the platform sends it; returns when the script holds it."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        while "waiting for the sidecar" not in self.process.stderr.readline():
            assert self.process.poll() is None

    def end(self) -> str:
        """What Ollama said in the end."""
        return self.process.communicate(timeout=10)[0]


def test_beside_a_sidecar_a_stop_is_held_until_the_sidecar_has_ended(image: Image) -> None:
    beside = Beside(image)
    beside.stop()
    time.sleep(0.5)
    assert beside.process.poll() is None
    beside.process.send_signal(signal.SIGTERM)  # a second one changes nothing
    beside.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert beside.process.poll() is None
    beside.listener.close()
    start = time.monotonic()
    assert beside.end() == "stopped\n"  # Ollama got the signal in the end
    assert beside.process.returncode == 7  # and the container has Ollama's status
    assert time.monotonic() - start < 3


def test_beside_a_sidecar_that_never_ends_the_hold_has_an_end(image: Image) -> None:
    beside = Beside(image, POLYCLOUD_DRAIN_SECONDS="1")
    start = time.monotonic()
    beside.stop()
    assert beside.end() == "stopped\n"
    assert 0 < time.monotonic() - start < 6
    beside.listener.close()


def test_beside_a_sidecar_that_has_ended_a_stop_is_at_once(image: Image) -> None:
    beside = Beside(image)
    beside.listener.close()
    start = time.monotonic()
    beside.stop()
    assert beside.end() == "stopped\n"
    assert time.monotonic() - start < 3


def test_beside_a_sidecar_an_ollama_that_ends_by_itself_ends_the_container(image: Image) -> None:
    (image.folder / "failing").write_text("#!/bin/sh\nexit 3\n")
    (image.folder / "failing").chmod(0o755)
    process = image.start(POLYCLOUD_SIDECAR="127.0.0.1:1", POLYCLOUD_OLLAMA=f"{image.folder}/failing")
    process.communicate(timeout=10)
    assert process.returncode == 3


def test_beside_a_sidecar_other_commands_take_the_place_of_the_script(image: Image) -> None:
    out, said = image.run("run", "tiny", POLYCLOUD_SIDECAR="127.0.0.1:1")
    assert out.endswith("args=run tiny")
    assert said == ""

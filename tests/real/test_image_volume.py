# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of the built image that share a volume: seeded once, repaired, read-only where it must be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.image_yard import Start, Yard

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("containers")]
USER = 10001


@pytest.fixture
def volume(yard: Yard) -> Iterator[Path]:
    """An empty folder of the image's user."""
    folder = yard.folder / "volume"
    folder.mkdir()
    os.chown(folder, USER, USER)
    yield folder
    shutil.rmtree(folder)


def copies(said: str) -> int:
    return said.count("polycloud: copying ")


def blobs(yard: Yard) -> dict[str, bytes]:
    """What the volume must hold: the blobs of the model by name."""
    return {path.name: path.read_bytes() for path in (yard.folder / "packed" / "blobs").iterdir()}


def held(volume: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (volume / "blobs").iterdir()}


def test_three_containers_on_an_empty_volume_make_one_copy_and_all_answer(
    yard: Yard,
    start: Start,
    volume: Path,
) -> None:
    containers = [start(f"--volume={volume}:/models") for dummy in range(3)]
    assert all(container.ask()["done"] for container in containers)
    assert sum(copies(container.said()) for container in containers) == len(blobs(yard))
    assert held(volume) == blobs(yard)


def test_a_damaged_blob_is_copied_anew_at_the_next_start_and_nothing_else(
    yard: Yard,
    start: Start,
    volume: Path,
) -> None:
    first = start(f"--volume={volume}:/models")
    first.ask()
    first.stop()
    weights = max((volume / "blobs").iterdir(), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:1000])
    second = start(f"--volume={volume}:/models")
    assert second.ask()["done"]
    assert copies(second.said()) == 1
    assert held(volume) == blobs(yard)


def test_a_seeded_volume_is_served_read_only(start: Start, volume: Path) -> None:
    first = start(f"--volume={volume}:/models")
    first.ask()
    first.stop()
    second = start(f"--volume={volume}:/models:ro")
    assert second.ask()["done"]
    assert "polycloud:" not in second.said()


def test_an_empty_volume_that_cannot_be_written_leaves_the_models_of_the_image(
    start: Start,
    volume: Path,
) -> None:
    container = start(f"--volume={volume}:/models:ro")
    assert container.ask()["done"]
    assert "those of the image" in container.said()

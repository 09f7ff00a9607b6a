# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory is given back after a burst, once, and not while it lasts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import ollama_sidecar
import pytest
from ollama_sidecar import memory
from ollama_sidecar.memory import Memory

from tests.helpers.scripted_ollama import response, scripted_ollama
from tests.helpers.sidecar_yard import run, sidecar_yard

# Objects in cycles, of which one in a hundred lives on: the rest is garbage between what is needed.
BURST = """
import gc
from ollama_sidecar import memory
gc.disable()
def ring():
    ring = [bytes(400)]
    ring.append(ring)
    return ring
kept = [[ring() for dummy in range(100)][0] for dummy in range(1000)]
at_most = memory.resident()
burst = memory.Memory(lambda: 0)
print(burst.look(), memory.resident() < at_most / 2, burst.look())
"""


class Machine:
    """Requests that run, and pages that they take."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.working, self.pages, self.least, self.trims = 0, 1000, 1000, 0
        monkeypatch.setattr(memory, "resident", lambda: self.pages)
        monkeypatch.setattr(memory, "_trim", self.trim)
        self.memory = Memory(lambda: self.working)

    def trim(self, dummy: int) -> int:
        self.trims += 1
        self.pages = self.least
        return 1


def test_memory_is_given_back_when_a_burst_is_over_and_then_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    assert machine.memory.look()
    machine.working, machine.pages = 1000, 2000
    assert not machine.memory.look()
    machine.working = 251
    assert not machine.memory.look()
    machine.working = 250
    assert machine.memory.look()
    assert [machine.memory.look() for dummy in range(3)] == [False] * 3
    assert machine.trims == 2


def test_what_a_smaller_burst_took_is_given_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.working = 1000
    machine.memory.look()
    machine.working = 0
    assert machine.memory.look()
    machine.working, machine.pages = 20, 1100
    assert not machine.memory.look()
    machine.working = 0
    assert machine.memory.look()


def test_a_little_more_memory_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    machine.memory.look()
    machine.pages = 1020
    assert not machine.memory.look()
    machine.pages = 1021
    assert machine.memory.look()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel does not tell how much memory is used")
def test_a_real_burst_gives_back_more_than_half_of_its_memory() -> None:
    path = str(Path(ollama_sidecar.__path__[0]).parent)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, memory.ALLOCATOR: "malloc"}
    done = subprocess.run([sys.executable, "-c", BURST], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True", "False"]


def test_the_process_begins_anew_with_the_allocator_of_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: begun.append([path, *arguments]))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "ollama_sidecar", "check"])
    monkeypatch.delenv(memory.ALLOCATOR, raising=False)
    memory.use_libc()
    assert begun == [[sys.executable, sys.executable, "-m", "ollama_sidecar", "check"]]
    assert os.environ[memory.ALLOCATOR] == "malloc"
    memory.use_libc()
    assert len(begun) == 1


def test_a_sidecar_looks_after_its_memory() -> None:
    async def test() -> set[str]:
        async with scripted_ollama(response(b"{}")) as ollama, sidecar_yard(ollama):
            return {task.get_name() for task in asyncio.all_tasks()}

    assert "memory" in run(test())

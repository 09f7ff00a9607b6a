# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that gates run: found, started without a terminal, and quoted in one line."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import PolycloudError
from ...text import one_line
from .facts import INSTALL

# Runs a command with more environment, in a folder: (exit code, standard output, standard error). Raises OSError.
Runner = Callable[[Sequence[str], Mapping[str, str], Path], tuple[int, str, str]]
NO_WORDS = re.compile(r"\x1b\[[0-9;]*m")


class CannotJudge(PolycloudError):
    """A gate cannot do its work: its tool or what the tool needs is missing, too old, or not to be trusted."""


@dataclass(frozen=True)
class Done:
    """What a program left. secrets: not to be told."""

    code: int
    output: str
    errors: str
    secrets: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The last line that it wrote on standard error, else on standard output."""
        lines = [line for text in (self.errors, self.output) for line in reversed(text.splitlines()) if line.strip()]
        told = NO_WORDS.sub("", lines[0]) if lines else f"nothing (exit code {self.code})"
        for secret in filter(None, self.secrets):
            told = told.replace(secret, "********")
        return one_line(told, 400)


@dataclass(frozen=True)
class Places:
    """The evidence folder, an empty one for what is not kept, and who runs programs. before: the last entry."""

    evidence: Path
    scratch: Path
    run: Runner
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """A program. environment: added to ours, less `without`. secrets: never told."""

    path: Path
    places: Places
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def run(self, *arguments: str) -> Done:
        """Run it. Raises CannotJudge where it cannot be started."""
        hidden = {name: os.environ.pop(name) for name in self.without if name in os.environ}
        try:
            # In a folder of its own, where it finds no settings.
            code, output, errors = self.places.run([str(self.path), *arguments], self.environment, self.places.scratch)
        except OSError as error:
            raise CannotJudge(f"{self.path} cannot be started: {error.strerror}.") from None
        finally:
            os.environ.update(hidden)
        return Done(code, output, errors, self.secrets)


def find(command: str, kind: str) -> Path:
    """The program `command`, a name on PATH or a path; kind: the tool that it is to be. Raises CannotJudge."""
    found = shutil.which(command)
    if found is None:
        raise CannotJudge(f"{kind} is missing: there is no program {command}.", hint=INSTALL[kind])
    return Path(found).absolute()


def version_in(text: str) -> str:
    """The first version (1.2.3) in what a program says of itself; empty where there is none."""
    found = re.search(r"\d+\.\d+\.\d+", text)
    return found[0] if found else ""


def numbers(version: str) -> tuple[int, ...]:
    """A version to compare; an empty one is below all others."""
    return tuple(int(part) for part in version.split(".") if part)


def document(text: str, tool: str) -> Any:
    """JSON that a tool wrote. Raises CannotJudge."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise CannotJudge(f"{tool} did not answer in JSON: {one_line(text, 120) or 'nothing'}") from None

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a running Ollama. Each message is one sentence that can be acted on at 3 a.m."""

from __future__ import annotations

from ..errors import ApiError, NotFound, PolycloudError, Unreachable, WaitTimeout


class OllamaError(PolycloudError):
    """Any trouble with a running Ollama."""


class ServerUnreachable(OllamaError, Unreachable):
    """No answer at all: refused, reset, timed out, name not resolved, certificate not accepted."""


class ServerError(OllamaError, ApiError):
    """Ollama, or a gateway before it, answered with an error (also a mid-stream error after a 200: status 200)."""


class ModelMissing(OllamaError, NotFound):
    """The server answers but does not have the model."""


class NotReady(OllamaError, WaitTimeout):
    """The server did not answer, or the model was not resident, before the time was up."""


class DigestMismatch(OllamaError):
    """The model's tag means another digest than the pinned one."""


class GpuNotUsed(OllamaError):
    """The model is resident but none of it is in GPU memory: Ollama falls back to the CPU without a word."""


class BadAnswer(OllamaError):
    """The prompt was answered with nothing, or not with what was expected."""


class TooSlow(OllamaError):
    """Fewer tokens a second than the floor."""


class PullFailed(OllamaError):
    """The download of a model ended without success."""


class DiskTooFull(OllamaError):
    """The models directory has less free space than asked for."""

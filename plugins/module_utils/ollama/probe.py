# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is this Ollama good? Used by the ollama_probe module and by the reconciler that decides whether a release is good.

`probe` goes through five steps inside one time limit: the server answers, the model is there (and is the pinned one),
it is resident, it uses the GPU when asked, a real prompt is answered. Behind our sidecar, which hides the memory, its
readiness stands for the third and the fourth. `ollama ps` exits 0 with nothing loaded and a lost GPU falls back to
the CPU in silence, so nothing less than all five says anything. `inspect` changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from ..errors import ApiError, Unreachable
from ..text import one_line
from .errors import BadAnswer, DigestMismatch, GpuNotUsed, ModelMissing, NotReady, OllamaError, TooSlow
from .options import wanted_digest, wanted_model
from .records import Generation, LoadedModel, ModelDetails, ModelTag, canonical_digest

T = TypeVar("T")

ANSWER_LIMIT = 200  # characters of a model's answer that are kept
CALL_LIMIT = 5.0  # seconds for one question to a server that may not be there yet
NOT_YET = frozenset(
    {408, 425, 429, 502, 503, 504}
)  # a server, or the gateway before it, that is still starting or busy
SOURCE = "Ollama"
HIDDEN = 404  # what a sidecar says of /api/ps and /api/show; its /readyz tells whether the model is in memory
SLOW_LOAD = (
    "A large model on a network volume takes minutes: raise timeout, and look at the server's log and its memory."
)


class Client(Protocol):
    """What the probe asks of client.OllamaClient."""

    base_url: str

    def version(self, timeout: float | None = None) -> str: ...
    def tag(self, name: str) -> ModelTag | None: ...
    def resident(self, name: str) -> LoadedModel | None: ...
    def show(self, name: str) -> ModelDetails: ...
    def ready(self, timeout: float | None = None) -> None: ...
    def load(self, name: str, keep_alive: int | str = -1, timeout: float | None = None) -> None: ...
    def embed(self, name: str, text: str, *, keep_alive: int | str = -1, timeout: float | None = None) -> int: ...

    def generate(
        self,
        name: str,
        prompt: str,
        *,
        max_tokens: int = 16,
        keep_alive: int | str | None = None,
        timeout: float | None = None,
    ) -> Generation: ...


@dataclass(frozen=True)
class ProbeSpec:
    """What must hold. Times in seconds; `digest` with or without sha256:; `expect` is looked for in any case."""

    model: str
    digest: str | None = None
    prompt: str = "Reply with one word: ready"
    require_gpu: bool = False
    min_tokens_per_second: float | None = None
    timeout_s: float = 600.0
    interval_s: float = 2.0
    max_tokens: int = 16
    expect: str | None = None


@dataclass(frozen=True)
class ProbeResult:
    """What was seen. `answer` is a model's text (untrusted) in one line; `gpu_ratio` 0.0 to 1.0; `seconds` in all.

    tokens_per_second is None when nothing was generated or the server did not report it.
    """

    answer: str
    seconds: float
    tokens_per_second: float | None
    resident: bool
    gpu_ratio: float
    digest: str
    load_seconds: float
    version: str


def spec_from(params: Mapping[str, Any]) -> ProbeSpec:
    """The wish that the options of ollama_probe describe. Raises OllamaError for a value that cannot hold."""
    digest = wanted_digest(params["digest"])
    for option in ("timeout", "interval", "max_tokens"):
        if params[option] <= 0:
            raise OllamaError(f"{option} must be greater than 0, not {params[option]}.")
    return ProbeSpec(
        model=wanted_model("model", params["model"]),
        digest=digest or None,
        prompt=params["prompt"],
        require_gpu=params["require_gpu"],
        min_tokens_per_second=params["min_tokens_per_second"],
        timeout_s=params["timeout"],
        interval_s=params["interval"],
        max_tokens=params["max_tokens"],
        expect=params["expect"],
    )


def probe(
    client: Client,
    spec: ProbeSpec,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_event: Callable[[str, str], None] | None = None,
) -> ProbeResult:
    """Bring the model into memory, ask it, and return what was seen. Raises an OllamaError for what is not right.

    on_event(source, text) is called as things happen (EventLog.emit).
    """
    return _Probe(client, spec, clock, sleep, on_event or _silent).run()


def inspect(
    client: Client,
    spec: ProbeSpec,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_event: Callable[[str, str], None] | None = None,
) -> ProbeResult:
    """The part of `probe` that only reads: server, model, digest, and the GPU of a model that is already resident."""
    return _Probe(client, spec, clock, sleep, on_event or _silent).look()


def _silent(source: str, text: str) -> None:
    """For a caller that wants no events."""


@dataclass
class _Probe:
    client: Client
    spec: ProbeSpec
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    on_event: Callable[[str, str], None]
    start: float = field(init=False)
    hidden: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.start = self.clock()

    @property
    def elapsed(self) -> float:
        return self.clock() - self.start

    @property
    def left(self) -> float:
        return self.spec.timeout_s - self.elapsed

    def run(self) -> ProbeResult:
        version = self._server()
        tag = self._model()
        began = self.clock()
        resident = self._load_or_wait()
        load_seconds = self.clock() - began
        self._check_gpu(resident)
        answer, speed = self._ask()
        # What is hidden in memory is known on disk.
        return self._result(version, resident, resident.digest or tag.digest, answer, speed, load_seconds)

    def look(self) -> ProbeResult:
        version = self._server()
        tag = self._model()
        resident = self._look_at_memory()
        if resident:
            self._check_gpu(resident)
        return self._result(version, resident, tag.digest, "", None, 0.0)

    def _result(
        self,
        version: str,
        resident: LoadedModel | None,
        digest: str,
        answer: str,
        speed: float | None,
        load_seconds: float,
    ) -> ProbeResult:
        return ProbeResult(
            answer=answer,
            seconds=round(self.elapsed, 2),
            tokens_per_second=speed,
            resident=resident is not None,
            gpu_ratio=resident.gpu_ratio if resident else 0.0,
            digest=digest,
            load_seconds=round(load_seconds, 2),
            version=one_line(version, 40),
        )

    def _server(self) -> str:
        # An ingress with nothing behind it answers 404 for every path, /api/version included.
        version = self._until(
            "answered", lambda: self.client.version(timeout=min(CALL_LIMIT, max(self.left, 0.1))), NOT_YET | {404}
        )
        self.on_event(SOURCE, f"{self.client.base_url} answers, version {version or 'not told'}")
        return version

    def _model(self) -> ModelTag:
        tag = self._until("listed its models", lambda: self.client.tag(self.spec.model))
        if tag is None:
            raise ModelMissing(
                f"{self.client.base_url} answers but has no model {self.spec.model}.",
                hint="The image was built without it, a volume hides it, or it was never pulled.",
            )
        self._check_digest(tag.digest, "is on disk")
        return tag

    def _look_at_memory(self) -> LoadedModel | None:
        """What is in memory now, by the sidecar's word where it shows no more."""
        try:
            return self._until("said what is loaded", lambda: self.client.resident(self.spec.model))
        except ApiError as error:
            if error.status != HIDDEN:
                raise
        try:
            self.client.ready()
        except ApiError as error:
            if error.status not in NOT_YET:
                raise
            return None
        return self._by_the_sidecars_word()

    def _load_or_wait(self) -> LoadedModel:
        """Bring the model into memory, or wait for a sidecar that does so itself."""
        try:
            return self._load()
        except ApiError as error:
            if error.status != HIDDEN:
                raise
            refused = error
        self.on_event(SOURCE, f"waiting until the sidecar is ready, which has {self.spec.model} loaded")
        try:
            self._until("become ready", self.client.ready, hint=SLOW_LOAD)
        except ApiError as error:
            raise refused if error.status == HIDDEN else error from None
        self.on_event(SOURCE, f"{self.client.base_url} is ready, by the sidecar's word")
        return self._by_the_sidecars_word()

    def _by_the_sidecars_word(self) -> LoadedModel:
        self.hidden = True
        return LoadedModel(self.spec.model, "", 0, 0, 0, "")

    def _load(self) -> LoadedModel:
        model = self.spec.model
        resident = self._until("said what is loaded", lambda: self.client.resident(model))
        if resident is None or not resident.stays:
            self.on_event(SOURCE, f"loading {model}")
        # Also when it is resident: that is how "for good" replaces an idle time that was set before.
        self._until("loaded the model", lambda: self.client.load(model, timeout=max(self.left, 1.0)), hint=SLOW_LOAD)
        resident = self._until("said what is loaded", lambda: self.client.resident(model))
        while resident is None:
            self._pause(
                f"{model} was loaded without an error but is not resident",
                "Memory is short and another model pushed it out, or several servers stand behind this address.",
            )
            resident = self._until("said what is loaded", lambda: self.client.resident(model))
        self._check_digest(resident.digest, "is in memory")
        self.on_event(SOURCE, f"{model} is resident, {resident.gpu_ratio:.0%} of it on the GPU")
        return resident

    def _check_digest(self, found: str, where: str) -> None:
        wanted = canonical_digest(self.spec.digest or "")
        if wanted and found and found != wanted:
            raise DigestMismatch(
                f"{self.spec.model} on {self.client.base_url} is not the pinned model: "
                f"sha256:{found[:12]} {where}, sha256:{wanted[:12]} is pinned.",
                hint="The tag has moved. Pull the pinned version again, or pin the new digest after looking at it.",
            )

    def _check_gpu(self, resident: LoadedModel) -> None:
        if self.spec.require_gpu and self.hidden:
            raise GpuNotUsed(
                f"{self.client.base_url} does not show whether {self.spec.model} is on a GPU.",
                hint="Set sidecar.show, or leave require_gpu to the sidecar, which is then ready only on a GPU.",
            )
        if self.spec.require_gpu and resident.size_vram <= 0:
            raise GpuNotUsed(
                f"{self.spec.model} on {self.client.base_url} runs on the CPU, 0 of {resident.size} bytes on a GPU.",
                hint="Ollama falls back in silence. Check that the task has a GPU and a driver (550 or newer).",
            )

    def _ask(self) -> tuple[str, float | None]:
        if (
            not self.hidden
            and self._until("described the model", lambda: self.client.show(self.spec.model)).only_embeds
        ):
            return self._ask_for_vector()
        spec = self.spec
        try:
            generation = self._until(
                "answered the prompt",
                lambda: self.client.generate(
                    spec.model, spec.prompt, max_tokens=spec.max_tokens, keep_alive=-1, timeout=max(self.left, 1.0)
                ),
            )
        except ApiError as error:
            if self.hidden and error.status == 400 and "does not support generate" in error.message:
                return self._ask_for_vector()
            raise
        return self._judge(generation)

    def _judge(self, generation: Generation) -> tuple[str, float | None]:
        spec = self.spec
        # A thinking model may spend the whole budget before its first word: that is an answer too.
        whole = generation.answer.strip() or generation.thinking.strip()
        answer, speed = one_line(whole, ANSWER_LIMIT), generation.tokens_per_second
        if not answer:
            raise BadAnswer(
                f"{spec.model} on {self.client.base_url} answered the prompt with nothing "
                f"({generation.answer_tokens} tokens, done_reason '{one_line(generation.done_reason, 20)}').",
                hint="The model file or its template is broken, or max_tokens is too small.",
            )
        if spec.expect and spec.expect.casefold() not in whole.casefold():
            raise BadAnswer(
                f"{spec.model} on {self.client.base_url} answered without '{one_line(spec.expect, 60)}': '{answer}'.",
                hint="Raise max_tokens, or expect something that this model says for sure.",
            )
        self._check_speed(speed)
        self.on_event(SOURCE, f"{spec.model} answered" + (f" at {speed} tokens/s" if speed else ""))
        return answer, speed

    def _ask_for_vector(self) -> tuple[str, None]:
        spec = self.spec
        if spec.expect or spec.min_tokens_per_second:
            raise OllamaError(
                f"{spec.model} is an embedding model: expect and min_tokens_per_second have no meaning for it.",
                hint="Leave both out.",
            )
        length = self._until(
            "embedded the prompt",
            lambda: self.client.embed(spec.model, spec.prompt, timeout=max(self.left, 1.0)),
        )
        if not length:
            raise BadAnswer(
                f"{spec.model} on {self.client.base_url} embedded the prompt to an empty vector.",
                hint="The model file is broken: pull it again.",
            )
        self.on_event(SOURCE, f"{spec.model} answered with a vector of {length} numbers")
        return f"vector of {length} numbers", None

    def _check_speed(self, speed: float | None) -> None:
        floor = self.spec.min_tokens_per_second
        if floor is not None and (speed is None or speed < floor):
            seen = "did not report its speed" if speed is None else f"gave {speed} tokens/s"
            raise TooSlow(
                f"{self.spec.model} on {self.client.base_url} {seen}; at least {floor} tokens/s are asked for.",
                hint="Look at gpu_ratio (below 1 the rest runs on the CPU), at num_parallel, and at other load.",
            )

    def _until(self, done: str, call: Callable[[], T], not_yet: frozenset[int] = NOT_YET, hint: str = "") -> T:
        """Call until it does not fail in a way that passes by itself; `hint` for the error when the time is up."""
        told = ""
        while True:
            try:
                return call()
            except (Unreachable, ApiError) as error:
                if isinstance(error, ApiError) and error.status not in not_yet:
                    raise
                seen = error
            if seen.message != told:
                told = seen.message
                self.on_event(SOURCE, f"waiting: {told}")
            self._pause(f"{self.client.base_url} has not {done}; last seen: {told}", hint or seen.hint)

    def _pause(self, seen: str, hint: str) -> None:
        """Sleep one interval, or raise NotReady with what was seen when the time is up."""
        if self.left <= 0:
            raise NotReady(f"After {self.elapsed:.0f} s: {seen.rstrip('.')}.", hint=hint)
        self.sleep(min(self.spec.interval_s, max(self.left, 0.05)))

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One model on one server: what is there, what has to be done, doing it. Used by the ollama_model module."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..text import one_line
from ..unknown import KNOWN_AFTER_APPLY
from .client import OllamaClient
from .errors import DigestMismatch, DiskTooFull, NotReady, OllamaError
from .options import wanted_digest, wanted_model
from .records import PullProgress

Emit = Callable[[str, str], None]

SOURCE = "Ollama"
REPORT_SECONDS = 5.0  # a large model is minutes of progress lines: one in so many seconds is enough


@dataclass(frozen=True)
class ModelSpec:
    """What is wanted. `digest` bare hex or ""; `keep_alive` in seconds or a duration; `min_free_bytes` at `path`."""

    name: str
    state: str
    digest: str = ""
    keep_alive: int | str = -1
    insecure: bool = False
    timeout_s: float = 600.0
    path: str | None = None
    min_free_bytes: int | None = None

    @property
    def for_good(self) -> bool:
        return str(self.keep_alive).strip().startswith("-")


@dataclass(frozen=True)
class Found:
    """The model as it is. `digest` "" and `size` 0 bytes when it is not on disk; `gpu_ratio` 0.0 to 1.0."""

    digest: str = ""
    size: int = 0
    resident: bool = False
    resident_digest: str = ""
    stays: bool = False
    gpu_ratio: float = 0.0
    context_length: int = 0

    @property
    def on_disk(self) -> bool:
        return bool(self.digest)


def spec_from(params: dict[str, Any]) -> ModelSpec:
    """The wish that a module's options describe. Raises OllamaError for options that contradict each other."""
    state, digest = params["state"], wanted_digest(params["digest"])
    if digest and state in ("absent", "unloaded"):
        raise OllamaError(f"digest has no meaning with state={state}.", hint="Leave it out.")
    if params["timeout"] <= 0:
        raise OllamaError(f"timeout must be greater than 0, not {params['timeout']}.")
    keep_alive = keep_alive_value(params["keep_alive"])
    if state == "loaded" and keep_alive == 0:
        raise OllamaError("keep_alive=0 unloads the model at once.", hint="Use state=unloaded, or another keep_alive.")
    return ModelSpec(
        name=wanted_model("name", params["name"]),
        state=state,
        digest=digest,
        keep_alive=keep_alive,
        insecure=params["insecure"],
        timeout_s=params["timeout"],
        path=params["path"],
        min_free_bytes=params["min_free_bytes"],
    )


def keep_alive_value(text: str) -> int | str:
    """Seconds as a number, anything else as the duration that Ollama reads (30m, 1h30m)."""
    try:
        return int(text)
    except ValueError:
        return text


def observe(client: OllamaClient, name: str) -> Found:
    """Read what is on disk and in memory: two calls."""
    tag, resident = client.tag(name), client.resident(name)
    found = Found(digest=tag.digest, size=tag.size) if tag else Found()
    if resident is None:
        return found
    return replace(
        found,
        resident=True,
        resident_digest=resident.digest,
        stays=resident.stays,
        gpu_ratio=resident.gpu_ratio,
        context_length=resident.context_length,
    )


def steps(spec: ModelSpec, found: Found) -> tuple[str, ...]:
    """What has to be done, in order: some of unload, delete, pull, load. Pure."""
    if spec.state in ("absent", "unloaded"):
        unload = ("unload",) if found.resident else ()
        return (*unload, "delete") if spec.state == "absent" and found.on_disk else unload
    pull = not found.on_disk or bool(spec.digest and found.digest != spec.digest)
    if spec.state == "present":
        return ("pull",) if pull else ()
    wanted = spec.digest or found.digest
    stale = found.resident and (pull or found.resident_digest != wanted)
    load = not found.resident or stale or (spec.for_good and not found.stays)
    return tuple(step for step, needed in (("pull", pull), ("unload", stale), ("load", load)) if needed)


def summary(name: str, found: Found) -> dict[str, Any]:
    """One side of the diff."""
    if not found.on_disk:
        return {"name": name, "state": "absent"}
    loaded = {"kept": "for good" if found.stays else "until idle"} if found.resident else {}
    return {"name": name, "state": "loaded" if found.resident else "present", "digest": found.digest, **loaded}


def predict(spec: ModelSpec, found: Found, todo: Iterable[str]) -> Found:
    """The model as it will be after `todo`; a digest that only the pull can tell is KNOWN_AFTER_APPLY."""
    for step in todo:
        if step == "pull":
            found = replace(found, digest=spec.digest or KNOWN_AFTER_APPLY)
        elif step == "load":
            found = replace(found, resident=True, stays=spec.for_good)
        elif step == "unload":
            found = replace(found, resident=False, stays=False)
        else:
            found = Found()
    return found


def facts(found: Found) -> dict[str, Any] | None:
    """The model for the module's result; None when it is not on disk."""
    return {key: value for key, value in asdict(found).items() if key != "resident_digest"} if found.on_disk else None


def check_disk(spec: ModelSpec, emit: Emit) -> dict[str, Any]:
    """Refuse to pull into a models directory with too little room. Says so when it cannot be looked at from here."""
    if spec.min_free_bytes is None:
        return {"checked": False, "reason": "min_free_bytes is not set"}
    try:
        if spec.path is None:
            raise OSError("path is not set, and the API does not tell the server's disk")
        free = shutil.disk_usage(spec.path).free
    except OSError as error:
        reason = one_line(error.strerror or str(error))
        emit(SOURCE, f"free space not checked: {reason}")
        return {"checked": False, "reason": reason}
    if free < spec.min_free_bytes:
        raise DiskTooFull(
            f"{spec.path} has {free} bytes free, min_free_bytes is {spec.min_free_bytes}: {spec.name} is not pulled.",
            hint="Remove a model (state=absent), or give the volume more room.",
        )
    return {"checked": True, "free_bytes": free}


def apply(
    client: OllamaClient,
    spec: ModelSpec,
    todo: Iterable[str],
    emit: Emit,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Found:
    """Do the steps and return the model as it then is. Raises OllamaError; what was done stays done."""
    for step in todo:
        if step == "pull":
            report_pull(spec.name, client.pull(spec.name, insecure=spec.insecure, timeout=spec.timeout_s), emit, clock)
            _check_pin(client, spec)
        elif step == "delete":
            emit(SOURCE, f"deleting {spec.name}")
            client.delete(spec.name)
        else:
            emit(SOURCE, f"{step}ing {spec.name}")
            if step == "load":
                client.load(spec.name, spec.keep_alive, timeout=spec.timeout_s)
            else:
                client.unload(spec.name, timeout=spec.timeout_s)
            _wait_for(step == "load", client, spec, clock, sleep)
    return observe(client, spec.name)


def _check_pin(client: OllamaClient, spec: ModelSpec) -> None:
    tag = client.tag(spec.name)
    found = tag.digest if tag else ""
    if spec.digest and found != spec.digest:
        raise DigestMismatch(
            f"{spec.name} was pulled, but the tag now means sha256:{found[:12]}; sha256:{spec.digest[:12]} is pinned.",
            hint="The tag has moved at its source and the server now holds the new model: look at it, then pin it.",
        )


def _wait_for(
    resident: bool, client: OllamaClient, spec: ModelSpec, clock: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    start = clock()
    while (client.resident(spec.name) is not None) != resident:
        if clock() - start > spec.timeout_s:
            seen = "is not in memory" if resident else "is still in memory"
            raise NotReady(
                f"After {spec.timeout_s:.0f} s {spec.name} {seen} on {client.base_url}.",
                hint="Memory may be short, requests may be in flight, or several servers stand behind this address.",
            )
        sleep(0.2)


def report_pull(name: str, progress: Iterable[PullProgress], emit: Emit, clock: Callable[[], float]) -> None:
    """Turn the progress lines into few events: the start, a percentage of all known layers every 5 s, each new step."""
    layers: dict[str, tuple[int, int]] = {}
    last_step, last_time = "", clock()
    for line in progress:
        if line.total:
            layers[line.digest] = (line.completed, line.total)
        step = "pulling layers" if line.total else one_line(line.status, 80)
        if step != last_step or clock() - last_time >= REPORT_SECONDS:
            emit(SOURCE, f"{name}: {step}{_share(layers) if line.total else ''}")
            last_step, last_time = step, clock()


def _share(layers: dict[str, tuple[int, int]]) -> str:
    done, total = (sum(values) for values in zip(*layers.values(), strict=True))
    return f", {done / total:.0%} of {total / 1e6:.0f} MB"

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch models into Ollama's layout, seed a folder from another, check what is there. Needs no Ollama.

Blobs come first and the manifest last, so a model that can be seen is whole. Nothing of another model is ever removed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import BadLock, BadManifest, BadName, StoreError, TagMoved
from .folder import Folder
from .lockfile import LockFile
from .manifest import Blob, Manifest, digest_of, read_manifest
from .names import ModelName, parse
from .partial import partial_path
from .progress import Emit, Meter, Show, quiet
from .source import STREAMS, Source
from .store import PRESENT, Store, guarded

LOCK_WAIT = 3600.0  # seconds
UPDATE_HINT = "To take what the tag means now, run it again with --update-lock (update_lock=True)."


@dataclass(frozen=True)
class ModelResult:
    """`digest` is the manifest's, `size` the bytes of all blobs, `bytes_fetched` what came from the source."""

    name: str
    digest: str
    size: int
    changed: bool
    bytes_fetched: int
    seconds: float


@dataclass(frozen=True)
class Report:
    """What a fetch did; `lock_written` tells whether models.lock changed."""

    models: tuple[ModelResult, ...]
    lock_written: bool = False

    @property
    def changed(self) -> bool:
        return self.lock_written or any(model.changed for model in self.models)

    @property
    def bytes_fetched(self) -> int:
        return sum(model.bytes_fetched for model in self.models)

    def as_dict(self) -> dict[str, Any]:
        models = [asdict(model) for model in self.models]
        return {"changed": self.changed, "bytes_fetched": self.bytes_fetched, "models": models}


@dataclass(frozen=True)
class Resolved:
    """What a name means at a source: the digest of its manifest, and the bytes of all its blobs."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True)
class Check:
    """What `verify` found of one model; `problems` is empty for a good one."""

    name: str
    digest: str
    size: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Wanted:
    name: ModelName
    manifest: Manifest


def fetch(
    models: Sequence[str],
    source: Source,
    target: Path,
    *,
    lock: Path | None = None,
    update_lock: bool = False,
    parallel: int = STREAMS,
    allow_host: bool = False,
    emit: Emit = quiet,
    show: Show | None = None,
    lock_wait: float = LOCK_WAIT,
    check: bool = False,
) -> Report:
    """Bring `models` from `source` into the folder `target`.

    lock: models.lock, which pins tags; made where missing. update_lock: take what the tags mean now and pin that.
    parallel: streams at once. emit: gets lines of progress; show: gets snapshots instead, for a bar.
    lock_wait: seconds to wait for another process that writes into the folder.
    check: only report what would be done; `bytes_fetched` is then what is missing.
    Raises ModelError. A model whose digest is pinned, and that is all there and verified, needs no network.
    """
    names = distinct(models, allow_host=allow_host)
    pins = LockFile(lock) if lock else None
    with guarded(target):
        store = Store(target)
        wanted = [_want(name, source, store, pins, update_lock) for name in names]
        lacking = [_lacks(each, store) for each in wanted]
        results = list(map(_foretold, wanted, lacking))
        if check:
            return Report(tuple(results))
        if all(blobs is None for blobs in lacking):
            store.save_record()
        else:
            with store.writer(lock_wait, emit):
                results = _bring_all(wanted, source, store, parallel, emit, show)
    if pins is not None:
        for each in wanted:
            pins.pin(each.name, source.describe, each.manifest)
    return Report(tuple(results), pins.save() if pins is not None else False)


def seed(
    source: Path,
    target: Path,
    models: Sequence[str] = (),
    *,
    parallel: int = STREAMS,
    emit: Emit = quiet,
    show: Show | None = None,
    lock_wait: float = LOCK_WAIT,
) -> Report:
    """Copy models (all of them without `models`) from one folder into another, checked alike. Raises ModelError."""
    folder = Folder(_existing(source))
    asked = list(models) or [name.full for name in folder.names()]
    return fetch(asked, folder, target, parallel=parallel, allow_host=True, emit=emit, show=show, lock_wait=lock_wait)


def resolve(models: Sequence[str], source: Source, *, allow_host: bool = False) -> list[Resolved]:
    """What the names mean at the source now, without fetching. Raises ModelError."""
    found = []
    for name in distinct(models, allow_host=allow_host):
        manifest = _from_source(name, source, name.digest)
        found.append(Resolved(name.short, manifest.digest, manifest.size))
    return found


def installed(target: Path) -> list[Check]:
    """The models in a folder; `problems` names blobs that are missing or have the wrong size. Hashes nothing."""
    with guarded(target):
        store = Store(_existing(target))
        return [_check(name, store, {}, quick=True) for name in store.names()]


def verify(target: Path, models: Sequence[str] = (), *, emit: Emit = quiet) -> list[Check]:
    """Hash all blobs of the models (all of them without `models`), whatever was verified before."""
    with guarded(target):
        store = Store(_existing(target))
        names = distinct(models, allow_host=True) if models else store.names()
        states: dict[str, str] = {}
        checks = []
        for name in names:
            emit(f"checking {name.short}")
            checks.append(_check(name, store, states, quick=False))
        store.save_record()
        return checks


def distinct(models: Iterable[str], *, allow_host: bool) -> list[ModelName]:
    """The names, each once. Raises BadName, and BadLock for one tag with two digests."""
    found: dict[str, ModelName] = {}
    for text in models:
        name = parse(text, allow_host=allow_host)
        first = found.setdefault(name.full.lower(), name)
        if first.full != name.full:
            raise BadName(f"{first.short} and {name.short} are one model to Ollama, which does not look at capitals.")
        if first.digest != name.digest:
            raise BadLock(f"{name.short} is asked for with two digests.")
    return list(found.values())


def _existing(folder: Path) -> Path:
    # A folder that is not there would look like one whose models are all good.
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder.", hint="Check the path, and that the volume is mounted.")
    return folder


def _want(name: ModelName, source: Source, store: Store, pins: LockFile | None, update_lock: bool) -> _Wanted:
    pinned = pins.digest(name) if pins is not None and not update_lock else ""
    if name.digest and pinned and name.digest != pinned:
        raise BadLock(f"{name.short} is asked for at {name.digest}, but the lock file pins {pinned}.", hint=UPDATE_HINT)
    digest = name.digest or pinned
    raw = store.read_manifest(name)
    if digest and raw is not None and digest_of(raw) == digest:
        return _Wanted(name, read_manifest(raw, name.short))
    return _Wanted(name, _from_source(name, source, digest))


def _from_source(name: ModelName, source: Source, digest: str) -> Manifest:
    manifest = read_manifest(source.manifest(name, digest), name.short)
    if digest and manifest.digest != digest:
        raise TagMoved(
            f"{name.short} is pinned to {digest}, but the source has {manifest.digest} under that name.",
            hint=UPDATE_HINT,
        )
    return manifest


def _lacks(wanted: _Wanted, store: Store) -> list[Blob] | None:
    """The blobs to bring (maybe none, where only the manifest is to be written); None if nothing is to be done."""
    blobs = [blob for blob in wanted.manifest.blobs if store.state(blob) != PRESENT]
    return None if not blobs and store.read_manifest(wanted.name) == wanted.manifest.raw else blobs


def _foretold(wanted: _Wanted, blobs: list[Blob] | None) -> ModelResult:
    """What a fetch would do for one model that lacks these."""
    missing = sum(blob.size for blob in blobs or ())
    return ModelResult(wanted.name.short, wanted.manifest.digest, wanted.manifest.size, blobs is not None, missing, 0.0)


def _bring_all(
    wanted: Sequence[_Wanted], source: Source, store: Store, parallel: int, emit: Emit, show: Show | None
) -> list[ModelResult]:
    # Asked again: whoever had the folder before us may have brought some of it.
    missing = {blob.digest: blob for each in wanted for blob in _lacks(each, store) or ()}
    total = sum(blob.size for blob in missing.values())
    store.need(sum(max(0, blob.size - store.allocated(partial_path(blob))) for blob in missing.values()))
    meter = Meter(total, emit, show)
    try:
        return [_bring(each, source, store, meter, parallel) for each in wanted]
    finally:
        store.save_record()


def _bring(wanted: _Wanted, source: Source, store: Store, meter: Meter, parallel: int) -> ModelResult:
    started, received = time.monotonic(), meter.received
    name, manifest = wanted.name, wanted.manifest
    blobs = _lacks(wanted, store)
    if blobs is not None:
        meter.label = name.short
        if blobs:
            source.bring(name, blobs, store, meter, parallel)
        store.write_manifest(name, manifest.raw)
        meter.tell(f"{name.short}: {len(blobs)} of {len(manifest.blobs)} blobs fetched, {manifest.digest}")
    seconds = round(time.monotonic() - started, 3)
    fetched = meter.received - received
    return ModelResult(name.short, manifest.digest, manifest.size, blobs is not None, fetched, seconds)


def _check(name: ModelName, store: Store, states: dict[str, str], *, quick: bool) -> Check:
    raw = store.read_manifest(name)
    if raw is None:
        return Check(name.short, "", 0, ("it is not there",))
    try:
        manifest = read_manifest(raw, name.short)
    except BadManifest as error:
        return Check(name.short, digest_of(raw), 0, (error.message,))
    problems = []
    if name.digest and name.digest != manifest.digest:
        problems.append(f"its manifest is {manifest.digest}, not {name.digest}")
    for blob in manifest.blobs:
        if quick:
            state = store.glance(blob)
        else:
            state = states.get(blob.digest) or states.setdefault(blob.digest, store.state(blob, rehash=True))
        if state != PRESENT:
            problems.append(f"blob {blob.digest} is {state}")
    return Check(name.short, manifest.digest, manifest.size, tuple(problems))

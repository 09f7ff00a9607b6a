# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence that an image passed `validate`: how it is written, read, and judged. Pure but for reading files.

One file for each target, C(validate-<target>.json), a JSON object: C(schema) 1, C(kind) validate, C(result) passed or
failed, C(at) UTC, C(collection_version), C(target), C(platform), C(deployment), C(release), C(image) and
C(sidecar_image) as the platform reports them (the second empty without a sidecar), C(digest) of the first (empty where
it is a tag), C(settled), C(models) and C(answers) with figures of each answer. It holds no prompt, no answer and no
address. It is not signed: who can write the file can forge it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import PolycloudError, Refused
from ..text import one_line
from ..version import COLLECTION_VERSION

SCHEMA = 1
KIND = "validate"
PASSED, FAILED = "passed", "failed"
PATTERN = "validate-*.json"
MAX_BYTES = 1024 * 1024
MAX_FILES = 10_000
FIGURES = ("tokens_per_second", "gpu_ratio", "load_seconds", "seconds", "version")
# How far the clock of the machine that validated may be ahead of ours.
SKEW = timedelta(minutes=5)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_PINNED = re.compile(r"[^\s@]+@(sha256:[0-9a-f]{64})", re.ASCII)
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|\+00:00)", re.ASCII)


class BadEvidence(PolycloudError):
    """A file that is not evidence, or cannot be."""


@dataclass(frozen=True)
class Evidence:
    """What one target showed. images: that of Ollama, and the sidecar's where there was one.

    digests: those of them that the platform did not name by tag only.
    settled: no other release was on its way. at: when, in UTC. source: the file's name.
    """

    target: str
    platform: str
    images: tuple[str, ...]
    settled: bool
    passed: bool
    at: datetime
    source: str = ""

    @property
    def digests(self) -> tuple[str, ...]:
        return tuple(filter(None, map(digest_of, self.images)))


def digest_of(image: str) -> str:
    """The digest that an image is pinned by, empty where it is not."""
    found = _PINNED.fullmatch(image)
    return found[1] if found else ""


def timestamp(moment: datetime) -> str:
    """A moment as evidence writes it: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- writing


def make_evidence(
    deployment: Mapping[str, Any], probes: Mapping[str, Any], *, target: str, platform: str, model: str, at: str
) -> dict[str, Any]:
    """The evidence of a target; empty where nothing was asked: it is stopped, has no endpoint, or it was a check.

    deployment: as the deployment modules return it. probes: the result of a loop of ollama_probe, which may have
    failed. model: what was asked; its digest is the one that the server said. at: UTC, ISO 8601.
    """
    results = [dict(item) for item in probes.get("results") or () if not item.get("skipped")]
    failed = any(item.get("failed") or item.get("unreachable") for item in results)
    answered = [item for item in results if item.get("answer")]
    image = str(deployment.get("image") or "")
    if not image or not results or (len(answered) < len(results) and not failed):
        return {}
    digests = sorted({str(item.get("digest") or "") for item in answered})
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "result": FAILED if failed else PASSED,
        "at": at,
        "collection_version": COLLECTION_VERSION,
        "target": target,
        "platform": platform,
        "deployment": str(deployment.get("name") or ""),
        "release": str(deployment.get("release") or ""),
        "image": image,
        "digest": digest_of(image),
        "sidecar_image": str(deployment.get("sidecar_image") or ""),
        "settled": bool(deployment.get("settled")),
        "models": [{"name": model, "digest": f"sha256:{digest}" if digest else ""} for digest in digests or [""]],
        "answers": [{figure: item.get(figure) for figure in FIGURES} for item in answered],
    }


# ---- reading


def read_all(path: Path) -> list[Evidence]:
    """The evidence in a file, or in all files C(validate-*.json) of a folder. Raises BadEvidence."""
    if path.is_dir():
        files = sorted(path.glob(PATTERN))
        if len(files) > MAX_FILES:
            raise BadEvidence(f"{path} holds more than {MAX_FILES} files of evidence.")
        return [read_evidence(read_bounded(file), file.name) for file in files]
    if not path.exists():
        raise BadEvidence(f"There is no evidence: {path} does not exist.", hint="Run the playbook validate first.")
    return [read_evidence(read_bounded(path), path.name)]


def read_bounded(path: Path) -> bytes:
    """The content of a file of evidence. Raises BadEvidence."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadEvidence(f"{path} cannot be read: {error.strerror}.") from None
    if len(raw) > MAX_BYTES:
        raise BadEvidence(f"{path.name} is larger than {MAX_BYTES} bytes and no evidence.")
    return raw


def read_evidence(raw: bytes | str, source: str = "evidence") -> Evidence:
    """Read one file. Every field that is judged must be there, of its type, and fit the others. Raises BadEvidence."""
    try:
        body = json.loads(raw, object_pairs_hook=no_twin)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _bad(source, "it is not one JSON object, or names a field twice")
    # True equals 1 to Python, and 1.0 too.
    if body.get("kind") != KIND or repr(body.get("schema")) != str(SCHEMA):
        raise _bad(source, f"kind and schema are not {KIND} and {SCHEMA}")
    # A release before this one wrote no sidecar_image.
    body.setdefault("sidecar_image", "")
    for name in ("target", "platform", "image", "digest", "sidecar_image", "at", "result"):
        if not isinstance(body.get(name), str):
            raise _bad(source, f"{name} is not a text")
    if body["result"] not in (PASSED, FAILED) or not isinstance(body.get("settled"), bool):
        raise _bad(source, "result is not passed or failed, or settled is not true or false")
    if not body["target"] or not body["platform"] or not body["image"]:
        raise _bad(source, "target, platform or image is empty")
    if body["digest"] != digest_of(body["image"]):
        raise _bad(source, "digest is not that of image")
    _check_answers(body, source)
    return Evidence(
        target=body["target"],
        platform=body["platform"],
        images=tuple(filter(None, (body["image"], body["sidecar_image"]))),
        settled=body["settled"],
        passed=body["result"] == PASSED,
        at=moment(body["at"], source),
        source=source,
    )


def _check_answers(body: Mapping[str, Any], source: str) -> None:
    """What passed was asked for a model and answered."""
    for name in ("models", "answers"):
        entries = body.get(name)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise _bad(source, f"{name} is not a list of objects")
        if body["result"] == PASSED and not entries:
            raise _bad(source, f"it passed without {name}")


def moment(text: str, source: str) -> datetime:
    """A moment as evidence writes it. Raises BadEvidence."""
    try:
        if not _UTC.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise _bad(source, "at is not a time in UTC, such as 2026-11-22T10:00:00Z") from None


def no_twin(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads: an object that names a field twice says two things. Raises ValueError."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _bad(source: str, why: str) -> BadEvidence:
    return BadEvidence(
        f"{one_line(source, 120)} is not evidence of validate: {why}.", hint="Remove it, or validate the target again."
    )


# ---- judging


@dataclass(frozen=True)
class Demand:
    """What must be shown. digest: of the image. max_age: of what counts. targets, platforms: that must all have passed.

    not_before: what was shown before this moment does not count (the image was taken back then).
    """

    digest: str
    max_age: timedelta
    targets: Sequence[str] = ()
    platforms: Sequence[str] = ()
    not_before: datetime | None = None


def judge(evidence: Iterable[Evidence], demand: Demand, now: datetime) -> list[Evidence]:
    """The evidence by which the image may be promoted: the last of each target, at least one. Raises Refused."""
    last: dict[str, Evidence] = {}
    # At the same moment the failure is the last word.
    for item in sorted(evidence, key=lambda item: (item.at, not item.passed)):
        last[item.target] = item
    flaws = {target: _flaw(item, demand, now) for target, item in last.items()}
    good = [item for target, item in last.items() if not flaws[target]]
    problems = [flaws[item.target] for item in last.values() if _speaks_against(item, demand, now)]
    problems += [flaws.get(name, f"target {one_line(name, 80)} has no evidence") for name in demand.targets]
    for platform in demand.platforms:
        if platform not in {item.platform for item in good}:
            seen = [flaws[item.target] for item in last.values() if item.platform == platform]
            problems += seen or [f"no target of platform {one_line(platform, 40)} has evidence"]
    if not good:
        problems += list(flaws.values()) or ["there is no evidence"]
    problems = list(dict.fromkeys(filter(None, problems)))
    if problems:
        raise Refused(
            f"{demand.digest} is not promoted: {'; '.join(problems)}.",
            hint="Deploy this image, validate it (playbook validate), then promote it.",
        )
    return good


def _flaw(item: Evidence, demand: Demand, now: datetime) -> str:
    """Why evidence does not count, empty if it does."""
    name = f"{one_line(item.target, 80)} ({one_line(item.platform, 40)})"
    if demand.digest not in item.digests:
        return f"{name} runs {_instead(item)}"
    if not item.passed:
        return f"{name} failed validate at {timestamp(item.at)}"
    if not item.settled:
        return f"{name} was validated while another release was on its way"
    if item.at > now + SKEW:
        return f"{name} was validated in the future, at {timestamp(item.at)}: look at the clocks"
    if now - item.at > demand.max_age:
        return f"{name} was validated at {timestamp(item.at)}, longer ago than {_hours(demand.max_age)}"
    if demand.not_before is not None and item.at <= demand.not_before:
        return f"{name} was validated before this image was taken back at {timestamp(demand.not_before)}"
    return ""


def _instead(item: Evidence) -> str:
    """What ran, where it was not the image."""
    tags = [one_line(image, 200) for image in item.images if not digest_of(image)]
    if tags:
        return f"{' and '.join(tags)}, a tag: deploy the image by its digest"
    return f"another image, {' and '.join(item.digests)}"


def _speaks_against(item: Evidence, demand: Demand, now: datetime) -> bool:
    """True for what forbids the image however many others have passed: it failed somewhere, or a time is impossible."""
    return demand.digest in item.digests and (not item.passed or item.at > now + SKEW)


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:g} hours"

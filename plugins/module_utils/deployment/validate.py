# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a deployment that hold on every platform. All problems at once: option, value, rule. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ..capabilities import Capabilities
from . import facts, names, seeding
from .model import Deployment

_DURATION = re.compile(r"-?\d+(?:\.\d+)?(?:ns|us|ms|s|m|h)?|(?:\d+h)?(?:\d+m)?(?:\d+s)?", re.ASCII)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.]+)?", re.ASCII)
_PATH = re.compile(r"/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/?)+", re.ASCII)
_TAG_KEY = re.compile(r"[\w .:/=+@-]{1,128}")
_TAG_CHARACTERS = re.compile(r"[\w .:/=+@-]*")
SYSTEM_PATHS = ("/bin", "/dev", "/etc", "/lib", "/proc", "/root", "/sbin", "/sys", "/tmp", "/usr")  # noqa: S108
RESERVED_TAG_PREFIXES = ("polycloud-", "aws:", "azure", "microsoft", "windows")
LONGEST_SHOWN = 60


def problems(deployment: Deployment[Any], capabilities: Capabilities) -> list[str]:
    """Every broken rule; an empty list means the deployment may be translated."""
    found: list[str] = []
    for rule in (_identity, _models, _runtime, _environment, _resources, _storage, _network, _exposure):
        found += rule(deployment, capabilities)
    for rule in (_scaling, _schedule, _health, _update, _secrets, _tags):
        found += rule(deployment, capabilities)
    return found


def name_problems(deployment: Deployment[Any]) -> list[str]:
    """The rules that matter to states which need no definition (C(stopped), C(absent), C(rolled_back))."""
    return list(_broken("name", deployment.name, names.deployment_name_problem(deployment.name)))


def parse_version(text: str) -> tuple[int, int, int] | None:
    """C(0.24.0) as numbers, a leading v allowed; None if it is no version."""
    match = _VERSION.fullmatch(text.removeprefix("v"))
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def show(value: object) -> str:
    """A value as it may stand in a message: quoted, control characters escaped, cut."""
    text = ascii(str(value))
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 4] + "...'"


def _broken(option: str, value: object, rule: str | None) -> Iterator[str]:
    if rule:
        yield f"{option} {show(value)} {rule}"


def _between(option: str, value: float | None, low: float, high: float) -> Iterator[str]:
    if value is not None and not low <= value <= high:
        yield f"{option} {value} must be between {low} and {high}"


def _identity(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    yield from name_problems(d)
    yield from _broken("image", d.image, names.image_problem(d.image))
    yield from _between("image_size", d.image_size, 1, 10**15)


def _models(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    if not d.models:
        yield "models must name at least one model; the first is the one that a release must answer with"
    for index, model in enumerate(d.models):
        yield from _broken(f"models[{index}].name", model.name, names.model_name_problem(model.name))
        if model.digest is not None:
            yield from _broken(f"models[{index}].digest", model.digest, names.digest_problem(model.digest))
    # Ollama does not tell capitals from small letters when it looks for a model.
    named = [model.name.lower() for model in d.models]
    for name in sorted({name for name in named if named.count(name) > 1}):
        yield f"models names {show(name)} twice"


def _runtime(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    runtime = d.runtime
    if runtime.ollama_version is not None:
        version, least = parse_version(runtime.ollama_version), parse_version(facts.MINIMUM_OLLAMA_VERSION)
        if version is None:
            yield f"runtime.ollama_version {show(runtime.ollama_version)} must be a version such as 0.24.0"
        elif least is not None and version < least:
            rule = f"is below {facts.MINIMUM_OLLAMA_VERSION}, the first release without CVE-2026-7482"
            yield f"runtime.ollama_version {show(runtime.ollama_version)} {rule}"
    yield from _between("runtime.num_parallel", runtime.num_parallel, 1, 256)
    yield from _between("runtime.max_loaded_models", runtime.max_loaded_models, 1, 64)
    yield from _between("runtime.context_length", runtime.context_length, 256, 1048576)
    yield from _between("runtime.load_timeout", runtime.load_timeout, 10, 7200)
    if not runtime.keep_alive or not _DURATION.fullmatch(runtime.keep_alive):
        yield f"runtime.keep_alive {show(runtime.keep_alive)} must be a duration such as -1, 300, 30m or 1h30m"
    loaded = runtime.max_loaded_models
    if loaded is not None and d.health.verify == "prompt" and loaded < 1:
        yield "runtime.max_loaded_models must leave room for the model that is verified"


def _environment(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    for name, value in d.runtime.environment.items():
        option = f"runtime.environment.{name}" if name.isidentifier() else f"runtime.environment {show(name)}"
        rule = names.variable_problem(name)
        if rule:
            yield f"{option} {rule}"
        elif name in facts.RESERVED_VARIABLES or name.startswith(facts.RESERVED_PREFIX):
            yield f"{option} is reserved: use the option that sets it, or leave it"
        elif any(word in name for word in facts.SECRET_WORDS):
            yield f"{option} looks like a secret: put it under secrets, where it is never shown"
        if "\x00" in value or "\n" in value:
            yield f"{option} must not hold a line break or a NUL"


def _resources(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    yield from _between("resources.cpu", d.resources.cpu, 0.25, c.max_cpu or 192)
    yield from _between("resources.memory_gib", d.resources.memory_gib, 0.5, c.max_memory_gib or 2048)
    gpu = d.resources.gpu
    if gpu is None:
        return
    yield from _between("resources.gpu.count", gpu.count, 1, 16)
    if gpu.sharing is not None and not c.gpu_sharing:
        yield f"resources.gpu.sharing is not available on {c.platform}"
    if gpu.sharing is not None:
        yield from _between("resources.gpu.sharing.memory_mib", gpu.sharing.memory_mib, 256, 1048576)
        yield from _between("resources.gpu.sharing.max_compute_percent", gpu.sharing.max_compute_percent, 1, 100)


def _storage(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    path = d.storage.path
    if not _PATH.fullmatch(path) or ".." in path or len(path) > 200:
        yield f"storage.path {show(path)} must be an absolute path of plain names without '..'"
    elif any(path == system or path.startswith(f"{system}/") for system in SYSTEM_PATHS):
        yield f"storage.path {show(path)} must not lie in a system directory"
    yield from _between("storage.uid", d.storage.uid, 0, 2**31 - 1)
    yield from _between("storage.gid", d.storage.gid, 0, 2**31 - 1)
    if d.storage.mode != "baked" and not c.volume:
        yield f"storage.mode {d.storage.mode} is not available on {c.platform}"
    yield from seeding.problems(d)


def _network(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    network = d.network
    yield from _between("network.port", network.port, 1024, 65535)
    for cidr in network.allowed_cidrs:
        try:
            ipaddress.ip_network(cidr)
        except ValueError:
            yield f"network.allowed_cidrs {show(cidr)} must be a network such as 10.0.0.0/8, host bits zero"
    if network.allowed_cidrs and not c.allowed_cidrs:
        yield f"network.allowed_cidrs cannot be enforced on {c.platform}: use its own network rules"
    if network.endpoint_url is not None:
        parts = urlsplit(network.endpoint_url.replace("{host}", "host"))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            yield f"network.endpoint_url {show(network.endpoint_url)} must be an http(s) URL without user and query"


def _exposure(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    network = d.network
    if network.authentication not in c.authentication:
        allowed = ", ".join(c.authentication)
        yield f"network.authentication {network.authentication} is not available on {c.platform} (it has: {allowed})"
    if network.exposure != "public":
        return
    if not c.public_exposure:
        yield f"network.exposure public is not available on {c.platform}"
    if network.authentication == "none":
        yield (
            "network.exposure public needs network.authentication: Ollama has none of its own, and anyone who reaches "
            "the port could use the GPU and delete models"
        )
    if network.authentication == "external" and c.allowed_cidrs and not network.allowed_cidrs:
        yield "network.exposure public with authentication external needs network.allowed_cidrs: your proxy's addresses"
    if any(ipaddress.ip_network(cidr).prefixlen == 0 for cidr in network.allowed_cidrs if _is_network(cidr)):
        yield "network.allowed_cidrs must not name the whole internet"


def _is_network(cidr: str) -> bool:
    try:
        ipaddress.ip_network(cidr)
    except ValueError:
        return False
    return True


def _scaling(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    yield from _between("scaling.min", d.scaling.min, 0, 1000)
    yield from _between("scaling.max", d.scaling.max, 1, 1000)
    yield from _between("scaling.target_concurrency", d.scaling.target_concurrency, 1, 1000)
    yield from _between("scaling.cooldown", d.scaling.cooldown, 10, 86400)
    if d.scaling.min > d.scaling.max:
        yield f"scaling.min {d.scaling.min} must not be above scaling.max {d.scaling.max}"
    if d.scaling.min != d.scaling.max and not c.autoscaling:
        yield f"scaling.min and scaling.max must be equal on {c.platform}: it has no autoscaler of its own"


def _schedule(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    if d.schedule is None:
        return
    if not c.schedule:
        yield f"schedule is not available on {c.platform}: run the playbooks stop and start from a timer"
    for option, value in (("start", d.schedule.start), ("stop", d.schedule.stop)):
        if not _CLOCK.fullmatch(value):
            yield f"schedule.{option} {show(value)} must be a time of day HH:MM"
    if d.schedule.start == d.schedule.stop:
        yield "schedule.start and schedule.stop must differ"
    if not d.schedule.days:
        yield "schedule.days must name at least one day"
    try:
        ZoneInfo(d.schedule.timezone)
    except (KeyError, ValueError, OSError):
        yield f"schedule.timezone {show(d.schedule.timezone)} must be a name such as Europe/Berlin"


def _health(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    yield from _between("health.timeout", d.health.timeout, 1, 7200)
    yield from _between("health.startup_timeout", d.health.startup_timeout, 10, 7200)
    yield from _between("health.min_tokens_per_second", d.health.min_tokens_per_second, 0.01, 100000)
    if not d.health.prompt.strip() or len(d.health.prompt) > 2000:
        yield "health.prompt must be 1 to 2000 characters"
    if d.health.require_gpu and d.resources.gpu is None:
        yield "health.require_gpu needs resources.gpu"


def _update(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    strategy = d.update.strategy
    if strategy is not None and strategy not in c.update_strategies:
        yield f"update.strategy {strategy} is not available on {c.platform} (it has: {', '.join(c.update_strategies)})"
    yield from _between("update.timeout", d.update.timeout, 1, 43200)
    yield from _between("update.keep_revisions", d.update.keep_revisions, 2, 100)
    yield from _between("logging.retention_days", d.logging.retention_days, 1, 3653)


def _secrets(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    taken = set(d.runtime.environment)
    for index, secret in enumerate(d.secrets):
        option = f"secrets[{index}]"
        yield from _broken(f"{option}.name", secret.name, names.variable_problem(secret.name))
        seeds = secret.name in facts.SEED_VARIABLES and d.storage.seed is not None
        if not seeds and (secret.name in facts.RESERVED_VARIABLES or secret.name.startswith(facts.RESERVED_PREFIX)):
            yield f"{option}.name {show(secret.name)} is reserved"
        if secret.name in taken:
            yield f"{option}.name {show(secret.name)} is set twice"
        taken.add(secret.name)
        if (secret.value is None) == (secret.reference is None):
            yield f"{option} {show(secret.name)} needs either reference or value"
        if secret.value is not None and not c.secret_values:
            yield f"{option}.value is not safe on {c.platform}: give a reference ({', '.join(c.secret_references)})"
        if secret.reference is not None and not _is_reference(secret.reference, c):
            yield f"{option}.reference must be one of: {', '.join(c.secret_references) or 'none on this platform'}"


def _is_reference(reference: str, c: Capabilities) -> bool:
    known = reference.startswith(("arn:", "https://")) and not re.search(r"\s", reference)
    return known and any(reference.startswith(kind.split("…")[0]) for kind in c.secret_references)


def _tags(d: Deployment[Any], c: Capabilities) -> Iterator[str]:
    if len(d.tags) > 30:
        yield f"tags has {len(d.tags)} entries, at most 30 fit beside ours on every cloud"
    for key, value in d.tags.items():
        if not _TAG_KEY.fullmatch(key) or key.lower().startswith(RESERVED_TAG_PREFIXES):
            yield f"tags {show(key)} must be 1 to 128 letters, digits and _ . : / = + - @, without a reserved prefix"
        if len(value) > c.tag_value_chars or not _TAG_CHARACTERS.fullmatch(value):
            yield f"tags.{show(key)} must have at most {c.tag_value_chars} letters, digits, spaces and _ . : / = + - @"

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Azure Container Apps, checked before any call. All problems at once: option, value, rule. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..deployment import hardening
from ..deployment.seeding import SEED
from ..deployment.validate import show
from ..unknown import is_unknown
from .capabilities import (
    CAPABILITIES,
    CONSUMPTION,
    CONSUMPTION_CPU_STEP,
    CONSUMPTION_GIB_PER_CPU,
    LONGEST_APP,
    LONGEST_GRACE,
    LONGEST_PERIOD,
    MOST_FAILURES,
    PROFILES,
    Profile,
)
from .naming import Described, is_consumption, profile_name, profile_type, secret_name

_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_ENVIRONMENT = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?", re.ASCII)
_GROUP = re.compile(r"[\w().-]{0,89}[\w()-]")
_SECRET = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.ASCII)
_PROFILE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?", re.ASCII)
_SCOPE = r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers"
_SUBNET = re.compile(rf"{_SCOPE}/Microsoft\.Network/[^\s]+/subnets/[^/\s]+", re.IGNORECASE)
_IDENTITY = re.compile(rf"{_SCOPE}/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/\s]+", re.IGNORECASE)
BUNDLE_KEYS = ("environment", "environment_storage", "environment_storage_seed", "app")


def problems(deployment: Described) -> list[str]:
    """Every broken rule of the platform; an empty list means the deployment may be translated."""
    found: list[str] = []
    for rule in (_names, _environment, _profile, _gpu, _consumption, _storage, _identities, _registries):
        found += rule(deployment)
    for rule in (_secrets, _ingress, _template, _overrides):
        found += rule(deployment)
    # The API has nothing to ask for.
    found += hardening.problems(deployment, CAPABILITIES, hardening.Posture())
    return found


def _names(d: Described) -> Iterator[str]:
    if len(d.name) > LONGEST_APP:
        yield f"name {show(d.name)} must have at most {LONGEST_APP} characters: it is the name of the container app"
    for option, group in (
        ("platform.resource_group", d.platform.resource_group),
        ("platform.environment.resource_group", d.platform.environment.resource_group),
    ):
        if group is not None and not _GROUP.fullmatch(group):
            yield f"{option} {show(group)} is not the name of a resource group"
    if not d.platform.location.strip():
        yield "platform.location must name a region, such as westus3"
    name = d.platform.environment.name
    if not _ENVIRONMENT.fullmatch(name) or "--" in name:
        yield f"platform.environment.name {show(name)} must be 1 to 60 letters, digits and single hyphens"


def _environment(d: Described) -> Iterator[str]:
    environment = d.platform.environment
    subnet = environment.subnet_id
    if subnet is not None and not is_unknown(subnet) and not _SUBNET.fullmatch(subnet):
        yield f"platform.environment.subnet_id {show(subnet)} must be the id of a subnet"
    for option in ("internal", "zone_redundant"):
        if getattr(environment, option) and subnet is None:
            yield f"platform.environment.{option} needs platform.environment.subnet_id: your own virtual network"
    counts = (environment.minimum_nodes, environment.maximum_nodes)
    if any(count is not None for count in counts) and is_consumption(profile_type(d)):
        yield (
            f"platform.environment.minimum_nodes and maximum_nodes must not be set for {profile_type(d)}: "
            "Azure refuses node counts on consumption profiles"
        )
    low, high = environment.minimum_nodes or 0, environment.maximum_nodes
    if low < 0 or (high is not None and high < max(low, 1)):
        yield "platform.environment.maximum_nodes must be at least 1 and at least minimum_nodes"


def _profile(d: Described) -> Iterator[str]:
    name = profile_name(d)
    if not _PROFILE.fullmatch(name):
        yield f"platform.workload_profile {show(name)} must be 1 to 15 letters, digits and hyphens"
    if d.wants_gpu and name == CONSUMPTION:
        yield "platform.workload_profile Consumption has no GPU: name another profile, or leave it out"


def _gpu(d: Described) -> Iterator[str]:
    gpu = d.resources.gpu
    if gpu is None:
        return
    kinds = [name for name, profile in PROFILES.items() if profile.gpus]
    if not gpu.type:
        yield f"resources.gpu.type must name the workload profile type on container_apps: {', '.join(kinds)}"
        return
    known = PROFILES.get(gpu.type)
    # A type that is not in our dated list may be newer than it; one without a GPU is a mistake.
    has_gpu = bool(known.gpus) if known else any(word in gpu.type.lower() for word in ("gpu", "nc"))
    if not has_gpu:
        yield f"resources.gpu.type {show(gpu.type)} is not a GPU workload profile type ({', '.join(kinds)})"
    if gpu.count != 1:
        yield f"resources.gpu.count {gpu.count} must be 1: a replica of Container Apps has one GPU"
    if known is not None:
        yield from _fits(d, gpu.type, known)


def _fits(d: Described, name: str, profile: Profile) -> Iterator[str]:
    if d.resources.cpu > profile.cpu:
        yield f"resources.cpu {d.resources.cpu:g} is above the {profile.cpu:g} vCPU of {name}"
    if d.resources.memory_gib > profile.memory_gib:
        yield f"resources.memory_gib {d.resources.memory_gib:g} is above the {profile.memory_gib:g} GiB of {name}"


def _consumption(d: Described) -> Iterator[str]:
    """The plain Consumption profile has fixed pairs of vCPU and memory. A profile of another name may be dedicated."""
    if d.wants_gpu or profile_name(d) != CONSUMPTION:
        return
    cpu, memory, size = d.resources.cpu, d.resources.memory_gib, PROFILES[CONSUMPTION]
    yield from _fits(d, CONSUMPTION, size)
    if cpu % CONSUMPTION_CPU_STEP:
        yield f"resources.cpu {cpu:g} must be a multiple of {CONSUMPTION_CPU_STEP:g} on the Consumption profile"
    if memory != cpu * CONSUMPTION_GIB_PER_CPU:
        yield (
            f"resources.memory_gib {memory:g} must be {cpu * CONSUMPTION_GIB_PER_CPU:g} with resources.cpu {cpu:g} on "
            "the Consumption profile (2 GiB for each vCPU); platform.workload_profile can name a dedicated one for more"
        )


def _storage(d: Described) -> Iterator[str]:
    storage = d.platform.storage
    if d.storage.mode == "baked":
        if storage is not None:
            yield "platform.storage is given but storage.mode baked mounts nothing: set storage.mode to volume or both"
        return
    if storage is None:
        yield f"storage.mode {d.storage.mode} needs platform.storage: the file share that holds the models"
        return
    name = storage.name
    if name is not None and (not _NAME.fullmatch(name) or len(name) > LONGEST_APP):
        yield f"platform.storage.name {show(name)} must be at most {LONGEST_APP} lower-case letters, digits and hyphens"
    if storage.read_only and d.storage.mode == "both":
        yield "platform.storage.read_only does not go with storage.mode both: the image seeds the share"
    if storage.read_only and d.storage.seed is not None:
        yield "platform.storage.read_only does not go with storage.seed: its container writes, the server does not"
    yield from _nfs(d) if storage.type == "nfs" else _smb(d)


def _nfs(d: Described) -> Iterator[str]:
    storage = d.platform.storage
    if storage is None:
        return
    if not storage.server:
        yield "platform.storage.server must name the NFS server, such as <account>.file.core.windows.net"
    if storage.account_key or storage.account_key_reference or storage.account_name:
        yield "platform.storage.account_name, account_key and account_key_reference are for type smb: NFS has no key"
    if not is_unknown(storage.share_name) and not storage.share_name.startswith("/"):
        yield f"platform.storage.share_name {show(storage.share_name)} must be /<account>/<share> for type nfs"
    if d.platform.environment.subnet_id is None:
        yield "platform.storage.type nfs needs platform.environment.subnet_id: NFS is reached through your own network"


def _smb(d: Described) -> Iterator[str]:
    storage = d.platform.storage
    if storage is None:
        return
    if not storage.account_name:
        yield "platform.storage.account_name must name the storage account of the share"
    if storage.account_key and storage.account_key_reference:
        yield "platform.storage takes either account_key or account_key_reference"
    reference = storage.account_key_reference
    if reference and not reference.startswith("https://"):
        yield f"platform.storage.account_key_reference {show(reference)} must be the https URL of a Key Vault secret"
    if storage.server:
        yield "platform.storage.server is for type nfs"


def _identities(d: Described) -> Iterator[str]:
    identity = d.platform.identity
    for name in identity.user_assigned:
        if not is_unknown(name) and not _IDENTITY.fullmatch(name):
            yield f"platform.identity.user_assigned {show(name)} must be the id of a user-assigned identity"
    used: list[tuple[str, str | None]] = [("platform.key_vault_identity", d.platform.key_vault_identity)]
    used += [(f"platform.registries.{item.server}.identity", item.identity) for item in d.platform.registries]
    given = {name.lower() for name in identity.user_assigned}
    for option, user in used:
        if user == "system" and not identity.system_assigned:
            yield f"{option} system needs platform.identity.system_assigned: true"
        elif user not in (None, "system") and str(user).lower() not in given:
            yield f"{option} {show(user)} must be in platform.identity.user_assigned too"


def _registries(d: Described) -> Iterator[str]:
    for registry in d.platform.registries:
        option = f"platform.registries {show(registry.server)}"
        if bool(registry.username) != bool(registry.password):
            yield f"{option} needs username and password together"
        if bool(registry.username) == bool(registry.identity):
            yield f"{option} needs either identity or username and password"


def _secrets(d: Described) -> Iterator[str]:
    for secret in d.secrets:
        if not _SECRET.fullmatch(secret_name(secret.name)):
            yield f"secrets {show(secret.name)} must begin and end with a letter or digit: a secret is named after it"
    references = any(secret.reference for secret in d.secrets)
    if references and not (d.platform.identity.user_assigned or d.platform.identity.system_assigned):
        yield "secrets with a reference need platform.identity: one that may read Key Vault"


def _ingress(d: Described) -> Iterator[str]:
    network_wide = d.platform.ingress_scope == "network"
    if network_wide and d.network.exposure == "private" and d.platform.environment.subnet_id is None:
        yield (
            "platform.ingress_scope network with network.exposure private needs an internal environment "
            "(platform.environment.subnet_id and internal): elsewhere such an ingress is public"
        )
    elif network_wide and d.network.exposure == "private" and not d.platform.environment.internal:
        yield "platform.ingress_scope network with network.exposure private needs platform.environment.internal: true"
    if d.network.exposure == "public" and d.platform.environment.internal:
        yield "network.exposure public is not possible in an internal environment (platform.environment.internal)"


def _template(d: Described) -> Iterator[str]:
    longest = MOST_FAILURES * LONGEST_PERIOD
    if d.health.startup_timeout > longest:
        yield f"health.startup_timeout {d.health.startup_timeout} must be at most {longest}: {MOST_FAILURES} probes"
    if not 0 <= d.platform.termination_grace_period <= LONGEST_GRACE:
        yield f"platform.termination_grace_period {d.platform.termination_grace_period} must be 0 to {LONGEST_GRACE}"
    if not 1 <= d.platform.polling_interval <= 600:
        yield f"platform.polling_interval {d.platform.polling_interval} must be 1 to 600"
    if not 0 <= d.platform.drain <= 3600:
        yield f"platform.drain {d.platform.drain} must be 0 to 3600"
    for item in d.platform.init_containers:
        if not _NAME.fullmatch(item.name):
            yield f"platform.init_containers.name {show(item.name)} must be lower-case letters, digits and hyphens"
        if item.name == SEED and d.storage.seed is not None:
            yield f"platform.init_containers.name {show(item.name)} is reserved for storage.seed"


def _overrides(d: Described) -> Iterator[str]:
    for key, value in d.overrides.items():
        if key not in BUNDLE_KEYS:
            yield f"overrides.{show(key)} is no resource of the bundle ({', '.join(BUNDLE_KEYS)})"
        elif not isinstance(value, dict):
            yield f"overrides.{key} must be a mapping in the shape of the API"

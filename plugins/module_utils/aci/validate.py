# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Azure Container Instances. All problems at once: option, value, rule. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..deployment import hardening
from ..deployment.model import Deployment
from ..deployment.seeding import SEED
from ..deployment.validate import show
from ..unknown import is_unknown
from . import capabilities as facts
from .options import AciPlatform, InitContainer, Sidecar
from .translate import CONTAINER, published_ports

Aci = Deployment[AciPlatform]

BUNDLE_KEYS = ("profile", "group")
_GROUP = re.compile(r"[-\w.()]{0,89}[-\w()]")
_LOCATION = re.compile(r"[a-z][a-z0-9]{2,49}", re.ASCII)
_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE | re.ASCII,
)
_IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+",
    re.IGNORECASE | re.ASCII,
)
_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"[a-z](?:[a-z0-9-]{3,61}[a-z0-9])", re.ASCII)
_TAG_FORBIDDEN = frozenset("<>%&\\?/")


def problems(deployment: Aci) -> list[str]:
    """Every broken rule of the platform; the general ones are in deployment/validate.py."""
    found: list[str] = []
    for rule in (_place, _gpu, _size, _network, _public, _spot, _identities, _registries):
        found += rule(deployment)
    for rule in (_storage, _containers, _secrets, _rest):
        found += rule(deployment)
    # The Standard SKU, which is what we deploy, takes no securityContext: a group asks for nothing.
    found += hardening.problems(deployment, facts.CAPABILITIES, hardening.Posture())
    return found


def _place(d: Aci) -> Iterator[str]:
    platform = d.platform
    if not _GROUP.fullmatch(platform.resource_group):
        yield f"platform.resource_group {show(platform.resource_group)} must be a resource group's name, not an id"
    if not _LOCATION.fullmatch(platform.location):
        yield f"platform.location {show(platform.location)} must be a region such as westeurope"
    if len(platform.zones) > 1:
        yield f"platform.zones {show(', '.join(platform.zones))} must name at most one zone"


def _gpu(d: Aci) -> Iterator[str]:
    gpu = d.resources.gpu
    if gpu is None:
        return
    if not d.platform.accept_retired_gpu:
        yield f"resources.gpu: {facts.GPU_RETIRED}"
    if gpu.type is not None and gpu.type not in facts.GPU_TYPES:
        yield f"resources.gpu.type {show(gpu.type)} must be one of {', '.join(facts.GPU_TYPES)}"
    if gpu.count not in facts.GPU_COUNTS:
        yield f"resources.gpu.count {gpu.count} must be one of 1, 2, 4"
    if d.platform.subnet_id is not None:
        yield "resources.gpu: a container group with GPUs cannot be in a virtual network (platform.subnet_id)"


def _size(d: Aci) -> Iterator[str]:
    cpu, memory = total(d)
    if d.platform.sidecars and cpu > (facts.CAPABILITIES.max_cpu or cpu):
        yield f"resources.cpu and the sidecars' come to {cpu}; a group has at most {facts.CAPABILITIES.max_cpu}"
    if d.platform.sidecars and memory > (facts.CAPABILITIES.max_memory_gib or memory):
        most = facts.CAPABILITIES.max_memory_gib
        yield f"resources.memory_gib and the sidecars' come to {memory}; a group has at most {most}"
    for option, value in (
        ("resources.memory_gib", d.resources.memory_gib),
        *((f"platform.sidecars {show(s.name)} memory_gib", s.memory_gib) for s in d.platform.sidecars),
    ):
        if abs(value * 10 - round(value * 10)) > 1e-6 or value <= 0:
            yield f"{option} {value} must be a multiple of 0.1"


def total(d: Aci) -> tuple[float, float]:
    """vCPU and GiB of all containers together."""
    sidecars = d.platform.sidecars
    cpu = d.resources.cpu + sum(sidecar.cpu for sidecar in sidecars)
    memory = d.resources.memory_gib + sum(sidecar.memory_gib for sidecar in sidecars)
    return round(cpu, 2), round(memory, 2)


def _network(d: Aci) -> Iterator[str]:
    platform = d.platform
    public = d.network.exposure == "public"
    subnet = platform.subnet_id
    if subnet is not None and not is_unknown(subnet) and not _SUBNET.fullmatch(subnet):
        yield f"platform.subnet_id {show(subnet)} must be the resource id of a subnet"
    if subnet is not None and public:
        yield "network.exposure public: a group in a virtual network (platform.subnet_id) has no public address"
    if subnet is None and not public and platform.priority != "Spot":
        yield "platform.subnet_id is needed with network.exposure private: without it the group has no address"
    if platform.dns_servers and subnet is None:
        yield "platform.dns_servers needs platform.subnet_id"
    label = platform.dns_name_label
    if label is not None and not public:
        yield "platform.dns_name_label needs network.exposure public"
    if label is not None and not _LABEL.fullmatch(label):
        yield f"platform.dns_name_label {show(label)} must be 5 to 63 lower-case letters, digits and hyphens"


def _public(d: Aci) -> Iterator[str]:
    if d.network.exposure != "public":
        return
    ports = published_ports(d)
    if not ports:
        yield (
            "network.exposure public: name a sidecar with ports that authenticates callers (platform.sidecars); "
            "only its ports are published, Ollama's own stays inside the group"
        )
    if len(ports) > facts.MOST_PORTS:
        yield f"platform.sidecars publish {len(ports)} ports; an address has at most {facts.MOST_PORTS}"


def _spot(d: Aci) -> Iterator[str]:
    if d.platform.priority != "Spot":
        return
    cpu, memory = total(d)
    broken = {
        "network.exposure public": d.network.exposure == "public",
        "platform.subnet_id": d.platform.subnet_id is not None,
        "platform.zones": bool(d.platform.zones),
        "resources.gpu": d.wants_gpu,
        f"more than {facts.SPOT_CPU} vCPU": cpu > facts.SPOT_CPU,
        f"more than {facts.SPOT_MEMORY_GIB} GiB": memory > facts.SPOT_MEMORY_GIB,
    }
    for what in (what for what, is_broken in broken.items() if is_broken):
        yield f"platform.priority Spot does not go with {what}"
    if d.health.verify != "steady" and d.network.endpoint_url is None:
        yield "platform.priority Spot: the group has no address, so health.verify must be steady"


def _identities(d: Aci) -> Iterator[str]:
    platform = d.platform
    known = {name.lower() for name in platform.identity.user_assigned}
    for name in platform.identity.user_assigned:
        if not is_unknown(name) and not _IDENTITY.fullmatch(name):
            yield f"platform.identity.user_assigned {show(name)} must be the resource id of a user-assigned identity"
    named = [("platform.key_vault_identity", platform.key_vault_identity)]
    named += [(f"platform.registries {show(item.server)} identity", item.identity) for item in platform.registries]
    for option, identity in named:
        if identity is not None and identity.lower() not in known:
            yield f"{option} {show(identity)} must be one of platform.identity.user_assigned"


def _registries(d: Aci) -> Iterator[str]:
    for registry in d.platform.registries:
        by_user = registry.username is not None and registry.password is not None
        if (registry.identity is not None) == by_user or (registry.username is None) != (registry.password is None):
            yield f"platform.registries {show(registry.server)} needs either identity, or username and password"
    servers = [registry.server for registry in d.platform.registries]
    for server in sorted({server for server in servers if servers.count(server) > 1}):
        yield f"platform.registries names {show(server)} twice"


def _storage(d: Aci) -> Iterator[str]:
    files = d.platform.azure_files
    if d.storage.mode != "baked" and files is None:
        yield f"storage.mode {d.storage.mode} needs platform.azure_files"
    if files is None:
        return
    if d.storage.mode == "baked":
        yield "platform.azure_files needs storage.mode volume or both"
    if files.account_key is not None and files.account_key_reference is not None:
        yield "platform.azure_files takes either account_key or account_key_reference"
    if files.read_only and d.storage.mode == "both":
        yield "platform.azure_files.read_only does not go with storage.mode both: the image seeds the share"
    if files.read_only and d.storage.seed is not None:
        yield "platform.azure_files.read_only does not go with storage.seed: its container writes, the server does not"


def _containers(d: Aci) -> Iterator[str]:
    reserved = (CONTAINER, SEED)
    containers: list[InitContainer | Sidecar] = [*d.platform.init_containers, *d.platform.sidecars]
    names = [container.name for container in containers]
    for name in names:
        if not _CONTAINER.fullmatch(name):
            yield f"platform container name {show(name)} must be 1 to 63 lower-case letters, digits and hyphens"
        elif name in reserved or names.count(name) > 1:
            yield f"platform container name {show(name)} is reserved or used twice"
    ports = [d.network.port, *(port for sidecar in d.platform.sidecars for port in sidecar.ports)]
    for port in sorted({port for port in ports if ports.count(port) > 1}):
        yield f"platform.sidecars: port {port} is used twice in the group"
    if len(containers) + 2 > facts.MOST_CONTAINERS:
        yield f"platform: a group has at most {facts.MOST_CONTAINERS} containers"
    if any(container.mount_models for container in containers) and d.storage.mode == "baked":
        yield "platform: mount_models needs storage.mode volume or both"


def _secrets(d: Aci) -> Iterator[str]:
    files = d.platform.azure_files
    references = [secret.name for secret in d.secrets if secret.reference is not None]
    if files is not None and files.account_key_reference is not None:
        references.append("platform.azure_files.account_key_reference")
        if not files.account_key_reference.startswith("https://"):
            yield "platform.azure_files.account_key_reference must be the address of a Key Vault secret"
    if references and d.platform.key_vault_identity is None:
        yield f"platform.key_vault_identity is needed to read {', '.join(references)} from Key Vault"


def _rest(d: Aci) -> Iterator[str]:
    if d.scaling.max > 1:
        yield f"scaling.max {d.scaling.max} must be 1: a container group is one replica; deploy it several times"
    for key in d.overrides:
        if key not in BUNDLE_KEYS:
            yield f"overrides.{show(key)} must be one of {', '.join(BUNDLE_KEYS)}"
    for key in d.tags:
        if _TAG_FORBIDDEN & set(key):
            yield f"tags {show(key)} must not hold any of < > % & \\ ? / on Azure"

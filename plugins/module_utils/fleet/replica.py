# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running Ollama, whatever runs it: what the fleet inventory knows about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from ..deployment.environment import parse_models

GROUP = "ollama_fleet"
HEALTHY, UNHEALTHY, STARTING, UNKNOWN = "healthy", "unhealthy", "starting", "unknown"
_NOT_A_GROUP = re.compile(r"[^A-Za-z0-9_]")
SHORT_ID = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """A task, a container group or an app replica.

    id: ARN or resource id. account: AWS account or Azure subscription. address: IP or host name, url: where it
    answers, both empty while it has none. gpu: its type where the platform says it, else C(yes), empty without one.
    health: healthy, unhealthy, starting or unknown. status: the platform's own word. started_at: ISO
    8601, empty if not started. details: what the API said, as JSON can hold it, empty where it was not asked for.
    """

    id: str
    cloud: str
    platform: str
    account: str
    region: str
    deployment: str
    release: str
    image: str
    models: tuple[str, ...]
    address: str
    url: str
    gpu: str
    health: str
    status: str
    unit: str
    started_at: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for the cache."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        return {**plain, "models": list(self.models), "details": dict(self.details)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Replica:
        return cls(**{**data, "models": tuple(data["models"])})

    def variables(self) -> dict[str, Any]:
        """Host variables. Few on purpose: an inventory of 10,000 hosts is read by every play."""
        extra = {"fleet_details": self.details} if self.details else {}
        return {
            **extra,
            "ansible_host": self.address,
            "fleet_account": self.account,
            "fleet_cloud": self.cloud,
            "fleet_deployment": self.deployment,
            "fleet_gpu": self.gpu,
            "fleet_health": self.health,
            "fleet_id": self.id,
            "fleet_image": self.image,
            "fleet_models": list(self.models),
            "fleet_platform": self.platform,
            "fleet_region": self.region,
            "fleet_release": self.release,
            "fleet_started_at": self.started_at,
            "fleet_status": self.status,
            "fleet_unit": self.unit,
            "fleet_url": self.url,
        }

    def groups(self) -> list[str]:
        """The groups that every fleet has: by cloud, platform, region, deployment, model, GPU and health."""
        named = [
            ("cloud", self.cloud),
            ("platform", self.platform),
            ("region", self.region),
            ("deployment", self.deployment or "unmanaged"),
            ("gpu", self.gpu or "no"),
            ("health", self.health),
            *(("model", model) for model in self.models),
        ]
        return [group_name(prefix, value) for prefix, value in named]


@lru_cache(maxsize=4096)
def group_name(prefix: str, value: str) -> str:
    """A legal group name: C(region_us_east_1)."""
    return f"{prefix}_{_NOT_A_GROUP.sub('_', value)}"


def http_url(address: str, port: int) -> str:
    """The plain URL of an address, empty for none."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}" if host else ""


def model_names(value: str) -> tuple[str, ...]:
    """The model names of a POLYCLOUD_MODELS variable, without digests."""
    return tuple(name for name, _digest in parse_models(value))


def name_hosts(replicas: Iterable[Replica]) -> dict[str, Replica]:
    """Name the hosts C(deployment-region-unit), unique over regions, accounts and clouds.

    The unit is shortened where that is enough; private addresses repeat between regions and name nothing.
    """
    named: dict[str, Replica] = {}
    for replica in sorted(replicas, key=lambda item: item.id):
        base = f"{replica.deployment or 'unmanaged'}-{replica.region}"
        candidates = (f"{base}-{replica.unit[:SHORT_ID]}", f"{base}-{replica.unit}", f"{base}-{replica.account}-")
        name = next((item for item in candidates[:2] if item not in named), candidates[2] + replica.unit)
        named[name if name not in named else replica.id] = replica
    return named

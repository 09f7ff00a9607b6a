# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate a deployment into the bodies of the Container Apps API (2026-07-01). Pure.

Bundle keys in order: C(environment), C(environment_storage) where the models live on a share,
C(environment_storage_seed) where a container seeds it, C(app).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..compare import merge
from ..deployment.model import Secret
from ..deployment.seeding import seeds
from ..release import DEPLOYMENT, SECRETS, SHARED
from ..resource import Wanted
from ..unknown import Ref, is_unknown
from .capabilities import CONSUMPTION, MOST_INACTIVE_REVISIONS
from .naming import (
    Described,
    is_consumption,
    profile_name,
    profile_type,
    registry_secret,
    secret_name,
    secret_values,
    seed_storage_name,
    storage_name,
)
from .template import template, uses_volume

ENVIRONMENT = "environment"
STORAGE = "environment_storage"
SEED_STORAGE = "environment_storage_seed"
APP = "app"
STORAGE_KEY = "polycloud-storage-key"
# Stands in a wanted body for the revision that is to serve: the release is known to the rollout, not to translation.
SERVING = "(serving revision)"
# Stands for a secret value: the kinds put it in when they write, so that no plan and no hash ever holds it.
HIDDEN = "(secret)"


def bundle(
    deployment: Described, *, digests: Mapping[str, str], existing: Mapping[str, Any] | None = None
) -> list[Wanted]:
    """The wanted resources.

    digests: of the secrets by tag name (SECRETS, STORAGE_KEY), empty ones are left out. existing: the environment as
    it is; the workload profiles of others, and what the options do not name, stay.
    """
    wanted = [
        Wanted(
            key=ENVIRONMENT,
            name=deployment.platform.environment.name,
            body=_override(deployment, ENVIRONMENT, environment(deployment, existing)),
            # Two deployments with different tags must not take turns on an environment that they share.
            tags={**({} if existing else deployment.tags), SHARED: "true"},
            shared=True,
        )
    ]
    if uses_volume(deployment):
        storages = _storages(deployment)
        body = _override(deployment, STORAGE, storages[STORAGE])
        storage = deployment.platform.storage
        # A storage that the user named may serve others as well: used if it is there, and never deleted.
        wanted.append(
            Wanted(key=STORAGE, name=storage_name(deployment), body=body, shared=bool(storage and storage.name))
        )
        if SEED_STORAGE in storages:
            body = _override(deployment, SEED_STORAGE, storages[SEED_STORAGE])
            wanted.append(Wanted(key=SEED_STORAGE, name=seed_storage_name(deployment), body=body))
    tags = {**deployment.tags, DEPLOYMENT: deployment.name, **{tag: text for tag, text in digests.items() if text}}
    wanted.append(Wanted(key=APP, name=deployment.name, body=_override(deployment, APP, app(deployment)), tags=tags))
    return wanted


def secret_groups(deployment: Described, account_key: str | None) -> dict[str, dict[str, str]]:
    """The secret values behind each digest tag. A key that is known only after apply has no digest yet."""
    known = account_key is not None and not is_unknown(account_key)
    return {SECRETS: secret_values(deployment), STORAGE_KEY: {"account_key": account_key or ""} if known else {}}


def environment(deployment: Described, existing: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The managed environment with the workload profile that the deployment needs."""
    options = deployment.platform.environment
    found = (existing or {}).get("properties") or {}
    properties: dict[str, Any] = {
        "zoneRedundant": options.zone_redundant,
        "workloadProfiles": _profiles(deployment, found.get("workloadProfiles") or ()),
    }
    if options.subnet_id:
        properties["vnetConfiguration"] = {"infrastructureSubnetId": options.subnet_id, "internal": options.internal}
    if options.log_analytics:
        workspace = {"customerId": options.log_analytics.workspace_id}
        if options.log_analytics.workspace_key:
            workspace["sharedKey"] = HIDDEN
        properties["appLogsConfiguration"] = {
            "destination": "log-analytics",
            "logAnalyticsConfiguration": workspace,
        }
    elif found.get("appLogsConfiguration"):
        properties["appLogsConfiguration"] = found["appLogsConfiguration"]
    body: dict[str, Any] = {"location": deployment.platform.location, "properties": properties}
    storage = deployment.platform.storage
    if storage and storage.account_key_reference:
        # The environment itself reads the key of a share from Key Vault. Set when it is created.
        body["identity"] = _identity(deployment)
    return body


def _profiles(deployment: Described, existing: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every environment has Consumption; ours is added, and those that are there already stay."""
    profiles = {str(item["name"]): dict(item) for item in existing}
    profiles.setdefault(CONSUMPTION, {"name": CONSUMPTION, "workloadProfileType": CONSUMPTION})
    name, kind = profile_name(deployment), profile_type(deployment)
    options = deployment.platform.environment
    if deployment.wants_gpu:
        ours: dict[str, Any] = {"name": name, "workloadProfileType": kind}
        if not is_consumption(kind):
            # Azure refuses these two on a consumption profile, and wants them on a dedicated one.
            ours["minimumCount"] = options.minimum_nodes if options.minimum_nodes is not None else 0
            ours["maximumCount"] = options.maximum_nodes if options.maximum_nodes is not None else 1
        profiles[name] = ours
    return [profiles[key] for key in sorted(profiles)]


def _storages(deployment: Described) -> dict[str, dict[str, Any]]:
    """The storages of the environment by bundle key. A mount cannot be read-only, a storage can: so a seeded share is
    there twice."""
    storage = deployment.platform.storage
    if seeds(deployment):
        read, write = environment_storage(deployment, "ReadOnly"), environment_storage(deployment, "ReadWrite")
        return {STORAGE: read, SEED_STORAGE: write}
    mode = "ReadOnly" if storage and storage.read_only else "ReadWrite"
    return {STORAGE: environment_storage(deployment, mode)}


def environment_storage(deployment: Described, access_mode: str) -> dict[str, Any]:
    """The share as the environment knows it."""
    storage = deployment.platform.storage
    if storage is None:
        return {}
    common = {"shareName": storage.share_name, "accessMode": access_mode}
    if storage.type == "nfs":
        return {"properties": {"nfsAzureFile": {"server": storage.server, **common}}}
    share: dict[str, Any] = {"accountName": storage.account_name, **common}
    if storage.account_key_reference:
        identity = key_vault_identity(deployment)
        share["accountKeyVaultProperties"] = {"keyVaultUrl": storage.account_key_reference, "identity": identity}
    else:
        share["accountKey"] = HIDDEN
    return {"properties": {"azureFile": share}}


def app(deployment: Described) -> dict[str, Any]:
    """The container app. Its traffic goes to SERVING, which the rollout replaces by a revision."""
    return {
        "location": deployment.platform.location,
        "identity": _identity(deployment),
        "properties": {
            "environmentId": Ref(ENVIRONMENT),
            "workloadProfileName": profile_name(deployment),
            "configuration": {
                "activeRevisionsMode": "Multiple",
                "maxInactiveRevisions": min(deployment.update.keep_revisions, MOST_INACTIVE_REVISIONS),
                "ingress": _ingress(deployment),
                "registries": _registries(deployment),
                "secrets": _secrets(deployment),
            },
            "template": template(deployment),
        },
    }


def _identity(deployment: Described) -> dict[str, Any]:
    identity = deployment.platform.identity
    kinds = ["SystemAssigned"] * identity.system_assigned + ["UserAssigned"] * bool(identity.user_assigned)
    if not kinds:
        return {"type": "None"}
    body: dict[str, Any] = {"type": ",".join(kinds)}
    if identity.user_assigned:
        body["userAssignedIdentities"] = {name: {} for name in identity.user_assigned}
    return body


def _ingress(deployment: Described) -> dict[str, Any]:
    network = deployment.network
    body: dict[str, Any] = {
        "external": network.exposure == "public" or deployment.platform.ingress_scope == "network",
        "targetPort": network.port,
        "transport": "http",
        "allowInsecure": False,
        "clientCertificateMode": "require" if network.authentication == "client_certificate" else "ignore",
        "traffic": [{"revisionName": SERVING, "weight": 100}],
    }
    if network.allowed_cidrs:
        body["ipSecurityRestrictions"] = [_allow(cidr) for cidr in network.allowed_cidrs]
    return body


def _allow(cidr: str) -> dict[str, str]:
    return {"name": f"allow-{re.sub(r'[^0-9a-f]+', '-', cidr.lower())}", "ipAddressRange": cidr, "action": "Allow"}


def _registries(deployment: Described) -> list[dict[str, str]]:
    body = []
    for registry in deployment.platform.registries:
        entry = {"server": registry.server}
        if registry.username:
            entry |= {"username": registry.username, "passwordSecretRef": registry_secret(registry.server)}
        else:
            entry["identity"] = registry.identity or "system"
        body.append(entry)
    return body


def _secrets(deployment: Described) -> list[dict[str, str]]:
    """The app's secrets by name; their values are HIDDEN."""
    body = [_secret(deployment, secret) for secret in deployment.secrets]
    passwords = [registry for registry in deployment.platform.registries if registry.password is not None]
    return body + [{"name": registry_secret(registry.server), "value": HIDDEN} for registry in passwords]


def _secret(deployment: Described, secret: Secret) -> dict[str, str]:
    if secret.reference is None:
        return {"name": secret_name(secret.name), "value": HIDDEN}
    return {
        "name": secret_name(secret.name),
        "keyVaultUrl": secret.reference,
        "identity": key_vault_identity(deployment),
    }


def key_vault_identity(deployment: Described) -> str:
    """The identity that reads Key Vault: given, else the first user-assigned one, else the app's own."""
    platform = deployment.platform
    if platform.key_vault_identity:
        return platform.key_vault_identity
    return platform.identity.user_assigned[0] if platform.identity.user_assigned else "system"


def _override(deployment: Described, key: str, body: dict[str, Any]) -> dict[str, Any]:
    override = deployment.overrides.get(key)
    return merge(body, override) if isinstance(override, Mapping) else body

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we write on a deployment's tags: ownership, configuration hash, last good release, rejected hashes. Pure.

Legal on every platform: letters, digits, space and C(_ . : / = + - @), values of at most 256 characters.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .unknown import symbolic

DEPLOYMENT = "polycloud-deployment"
SHARED = "polycloud-managed"
CONFIG_HASH = "polycloud-config-hash"
RELEASE = "polycloud-release"
LAST_GOOD = "polycloud-last-good"
PREVIOUS_GOOD = "polycloud-previous-good"
REJECTED = "polycloud-rejected"
SECRETS = "polycloud-secrets"
RECORD_TAGS = (CONFIG_HASH, RELEASE, LAST_GOOD, PREVIOUS_GOOD, REJECTED, SECRETS)
REJECTED_KEPT = 5
HASH_DIGITS = 40
_SCRYPT = {"n": 2**14, "r": 8, "p": 1}


@dataclass(frozen=True, slots=True)
class Record:
    """What the tags of a deployment's carrier say.

    release ids are the platform's own: C(family:revision), a revision name, a profile revision number.
    """

    deployment: str = ""
    config_hash: str = ""
    release: str = ""
    last_good: str = ""
    previous_good: str = ""
    rejected: tuple[str, ...] = ()
    secrets: str = ""

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Record:
        return cls(
            deployment=tags.get(DEPLOYMENT, ""),
            config_hash=tags.get(CONFIG_HASH, ""),
            release=tags.get(RELEASE, ""),
            last_good=tags.get(LAST_GOOD, ""),
            previous_good=tags.get(PREVIOUS_GOOD, ""),
            rejected=tuple(tags.get(REJECTED, "").split()),
            secrets=tags.get(SECRETS, ""),
        )

    def to_tags(self) -> dict[str, str]:
        """The tags to write; empty values are left out."""
        tags = {
            DEPLOYMENT: self.deployment,
            CONFIG_HASH: self.config_hash,
            RELEASE: self.release,
            LAST_GOOD: self.last_good,
            PREVIOUS_GOOD: self.previous_good,
            REJECTED: " ".join(self.rejected),
            SECRETS: self.secrets,
        }
        return {key: value for key, value in tags.items() if value}

    @property
    def proven(self) -> bool:
        """True if the release that runs has passed its verification."""
        return bool(self.release) and self.release == self.last_good


def with_good(record: Record, release: str, config_hash: str) -> Record:
    """The record after a release was found good."""
    previous = record.previous_good if release == record.last_good else (record.last_good or record.previous_good)
    rejected = tuple(item for item in record.rejected if item != config_hash)
    return dataclasses.replace(
        record,
        release=release,
        config_hash=config_hash,
        last_good=release,
        previous_good=previous,
        rejected=rejected,
    )


def with_rejected(record: Record, config_hash: str) -> Record:
    """The record after a release was found bad: its hash is remembered, the newest REJECTED_KEPT of them."""
    rejected = (*(item for item in record.rejected if item != config_hash), config_hash)
    return dataclasses.replace(record, rejected=rejected[-REJECTED_KEPT:])


def config_hash(release_body: Any, secret_values: Mapping[str, str]) -> str:
    """Name a configuration: 40 hex digits over the translated release, ids of other resources by their names.

    Secret values take part through scrypt too, so that the tag is no faster way to guess them than the digest tag.
    """
    canonical = json.dumps(symbolic(release_body), sort_keys=True, separators=(",", ":"), default=str).encode()
    digest = hashlib.sha256(canonical)
    if secret_values:
        digest.update(_scrypt(secret_values, digest.digest()))
    return digest.hexdigest()[:HASH_DIGITS]


def secrets_digest(values: Mapping[str, str], known: str = "") -> str:
    """One salted scrypt digest over all secret values, C(salt:digest) in URL-safe base64 without padding.

    known: the digest found on the deployment. If it was made from the same values it is returned unchanged, else a
    new one with a fresh salt, so that equal tags mean equal values and nothing else.
    """
    if not values:
        return ""
    if known:
        salt = _decode(known.partition(":")[0])
        if salt and hmac.compare_digest(known, _format(salt, _scrypt(values, salt))):
            return known
    salt = random.token_bytes(16)
    return _format(salt, _scrypt(values, salt))


def _scrypt(values: Mapping[str, str], salt: bytes) -> bytes:
    canonical = json.dumps(dict(values), sort_keys=True).encode()
    return hashlib.scrypt(canonical, salt=salt, dklen=32, **_SCRYPT)


def _format(salt: bytes, digest: bytes) -> str:
    return f"{_encode(salt)}:{_encode(digest)}"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""

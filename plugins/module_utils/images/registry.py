# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry says of an image: its digest, its labels, its size. Stands on the transport of the model fetcher."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.auth import HINT, Authorizer
from ..models.credentials import Credentials, from_docker_config
from ..models.errors import BadManifest, LoginRefused, ModelNotFound, SourceError, SourceUnreachable
from ..models.registry import said_in
from ..models.transport import Answer, Transport, is_loopback, origin_of
from .reference import DOCKER_HUB, Reference

MAX_MANIFEST = 4 * 1024 * 1024  # bytes; what registries themselves take at most
IMAGE_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEX_TYPES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
ACCEPT = ", ".join((*IMAGE_TYPES, *INDEX_TYPES))
# Docker Hub's registry has another name than its images, and its login a third.
HUB_HOSTS = (DOCKER_HUB, "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Manifest:
    """A manifest as the registry keeps it. digest: sha256:<hex> of its bytes."""

    raw: bytes = field(repr=False)
    media_type: str
    digest: str


@dataclass(frozen=True)
class Image:
    """An image in a registry. size: bytes of its layers, compressed. labels: of the first platform that it has.

    image_id: digest of the configuration of that platform, which engines call the image's id.
    """

    digest: str
    media_type: str
    labels: dict[str, str]
    size: int
    layers: tuple[str, ...]
    image_id: str


def credentials_in(config: Path, host: str) -> Credentials:
    """The login for a registry in a docker config.json; anonymous where there is none."""
    for name in HUB_HOSTS if host == DOCKER_HUB else (host,):
        found = from_docker_config(config, name)
        if found != Credentials():
            return found
    return Credentials()


class ImageRegistry:
    """One registry. Without TLS only on this machine, or where `transport` is insecure."""

    def __init__(self, host: str, credentials: Credentials, transport: Transport, *, actions: str = "pull") -> None:
        self._host = host
        self._credentials = credentials
        self._transport = transport
        self._actions = actions
        address = "registry-1.docker.io" if host == DOCKER_HUB else host
        plain = transport.insecure or is_loopback(origin_of(f"https://{address}")[1])
        self._bases = [f"https://{address}", *([f"http://{address}"] if plain else [])]
        self._authorizer: Authorizer | None = None

    def image(self, reference: Reference) -> Image | None:
        """What the registry has under the digest, else the tag, else `latest`; None where it has nothing."""
        manifest = self.manifest(reference, reference.digest or reference.tag or "latest")
        try:
            return None if manifest is None else self._describe(reference, manifest)
        except (AttributeError, TypeError, ValueError):
            raise _no_image(reference) from None

    def manifest(self, reference: Reference, what: str) -> Manifest | None:
        """The manifest under a tag or a digest, None where there is none. Raises ModelError."""
        answer = self._ask(reference, f"manifests/{what}", {"Accept": ACCEPT})
        with answer:
            if answer.status == 404:
                return None
            raw = self._body(reference, answer)
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        if what.startswith("sha256:") and digest != what:
            raise BadManifest(
                f"{self._host} has another manifest of {reference.name} under {what} than its digest says."
            )
        return Manifest(raw, media_type, digest)

    def tag(self, reference: Reference, manifest: Manifest, tag: str) -> None:
        """Let `tag` mean the manifest, which the registry has already. Raises ModelError."""
        headers = {"Content-Type": manifest.media_type}
        with self._ask(reference, f"manifests/{tag}", headers, data=manifest.raw) as answer:
            if answer.status == 404:
                raise ModelNotFound(f"{self._host} does not know {reference.name}.")
        found = self.manifest(reference, tag)
        if found is None or found.digest != manifest.digest:
            raise BadManifest(f"{self._host} took {reference.name}:{tag} and keeps something else there.")

    def _describe(self, reference: Reference, manifest: Manifest) -> Image:
        body = _object(manifest.raw, reference)
        platform = body
        if "manifests" in body:
            platform = self._first_platform(reference, body)
        layers = [layer for layer in platform.get("layers", []) if isinstance(layer, dict)]
        image_id = str(platform.get("config", {}).get("digest", ""))
        config = self._blob(reference, image_id)
        labels = config.get("config", {}).get("Labels") or {}
        return Image(
            manifest.digest,
            manifest.media_type,
            {str(name): str(value) for name, value in labels.items()},
            sum(int(layer.get("size", 0)) for layer in layers),
            tuple(str(layer.get("digest", "")) for layer in layers),
            image_id,
        )

    def _first_platform(self, reference: Reference, index: dict[str, Any]) -> dict[str, Any]:
        # Attestations are entries of platform unknown/unknown.
        for entry in index["manifests"]:
            if entry.get("platform", {}).get("os") != "unknown":
                found = self.manifest(reference, str(entry.get("digest", "")))
                if found is not None:
                    return _object(found.raw, reference)
        raise BadManifest(f"{reference.name} has no image for any platform.")

    def _blob(self, reference: Reference, digest: str) -> dict[str, Any]:
        with self._ask(reference, f"blobs/{digest}", {}) as answer:
            if answer.status == 404:
                raise ModelNotFound(f"{self._host} lacks the configuration of {reference.name}.")
            raw = self._body(reference, answer)
        if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
            raise BadManifest(f"{self._host} sent another configuration of {reference.name} than its digest says.")
        return _object(raw, reference)

    def _body(self, reference: Reference, answer: Answer) -> bytes:
        raw = answer.read(MAX_MANIFEST)
        if not raw or len(raw) > MAX_MANIFEST:
            raise BadManifest(f"{self._host} sent nothing, or more than {MAX_MANIFEST} bytes, for {reference.name}.")
        return raw

    def _ask(self, reference: Reference, what: str, headers: dict[str, str], data: bytes | None = None) -> Answer:
        """Send GET, PUT with `data`, logging in where the registry asks for it; the answer is 2xx or 404."""
        while True:
            try:
                return self._ask_at(self._bases[0], reference, what, headers, data)
            except SourceUnreachable:
                if len(self._bases) == 1:
                    raise
                del self._bases[0]
                self._authorizer = None

    def _ask_at(
        self, base: str, reference: Reference, what: str, headers: dict[str, str], data: bytes | None
    ) -> Answer:
        if self._authorizer is None:
            self._authorizer = Authorizer(origin_of(base), self._credentials, self._transport)
        url = f"{base}/v2/{reference.repository}/{what}"
        scope = f"repository:{reference.repository}:{self._actions}"
        method = "GET" if data is None else "PUT"
        # What is written is not written elsewhere.
        rest: dict[str, Any] = (
            {"headers": headers} if data is None else {"headers": headers, "data": data, "redirects": 0}
        )
        sent = self._authorizer.header(scope)
        answer = self._transport.open(url, method=method, authorization=sent, **rest)
        if answer.status == 401 and not answer.redirected:
            with answer:
                challenges = answer.headers.get_all("WWW-Authenticate", [])
            sent = self._authorizer.renew(scope, sent, challenges)
            answer = self._transport.open(url, method=method, authorization=sent, **rest)
        if answer.status in (200, 201, 202, 404):
            return answer
        with answer:
            if answer.status in (401, 403):
                raise LoginRefused(f"{self._host} refuses {reference.name} with status {answer.status}.", hint=HINT)
            said = self._authorizer.scrub(said_in(answer)) or "nothing"
            raise SourceError(f"{method} {reference.name} ({what})", answer.status, "", f"{self._host} said: {said}")


def _object(raw: bytes, reference: Reference) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _no_image(reference)
    return body


def _no_image(reference: Reference) -> BadManifest:
    return BadManifest(f"What {reference.host} keeps of {reference.name} is not an image.")

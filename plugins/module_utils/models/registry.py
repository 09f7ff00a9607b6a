# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry that speaks the Distribution HTTP API V2: Ollama's public one, docker-registry, ECR, ACR and others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from ..text import one_line
from .auth import HINT, Authorizer
from .credentials import ANONYMOUS, Credentials
from .download import Download
from .errors import BadManifest, BadName, LoginRefused, ModelError, ModelNotFound, SourceError
from .limits import Limits, Patience, retry_after
from .manifest import MAX_MANIFEST, MEDIA_TYPES, Blob
from .names import PUBLIC_HOST, ModelName
from .progress import Emit, Meter, quiet
from .store import Store
from .transport import Answer, Transport, origin_of

MAX_ERROR = 64 * 1024  # bytes of an error's body that are looked at


class Registry:
    """`url` such as https://registry.example.org:5000; a path behind it goes before each repository's name.

    tell: hears why it takes long to get a manifest.
    """

    def __init__(
        self,
        url: str = f"https://{PUBLIC_HOST}",
        credentials: Credentials = ANONYMOUS,
        *,
        transport: Transport | None = None,
        limits: Limits | None = None,
        tell: Emit = quiet,
    ) -> None:
        self._origin = origin_of(url)
        self._tell = tell
        self._limits = limits or Limits()
        self._base, self._prefix = _split(url)
        self._transport = transport or Transport(timeout=self._limits.timeout)
        self._authorizer = Authorizer(self._origin, credentials, self._transport)

    def __repr__(self) -> str:
        return f"Registry({self.describe})"

    @property
    def describe(self) -> str:
        return f"{self._base}/{self._prefix}".rstrip("/")

    def manifest(self, name: ModelName, digest: str) -> bytes:
        """See Source. A registry that cannot serve a manifest by its digest is asked by the tag."""
        if digest:
            try:
                return self._manifest(name, digest)
            except (ModelNotFound, SourceError) as error:
                if isinstance(error, SourceError) and error.status not in (400, 405):
                    raise
        return self._manifest(name, name.tag)

    def bring(self, name: ModelName, blobs: Sequence[Blob], store: Store, meter: Meter, parallel: int) -> None:
        """See Source."""
        download = Download(lambda blob, start, end: self.open_blob(name, blob, start, end), store, meter, self._limits)
        download.run(blobs, parallel)

    def open_blob(self, name: ModelName, blob: Blob, start: int, end: int) -> Answer:
        """Ask once for the bytes `start` to `end` (not included) of a blob; the answer is 206, or 200 for the whole."""
        headers = {} if (start, end) == (0, blob.size) else {"Range": f"bytes={start}-{end - 1}"}
        return self._ask(name, f"blobs/{blob.digest}", headers)

    def _manifest(self, name: ModelName, reference: str) -> bytes:
        patience = Patience(self._limits, threading.Event(), self._tell)
        while True:
            try:
                with self._ask(name, f"manifests/{reference}", {"Accept": ", ".join(MEDIA_TYPES)}) as answer:
                    raw = b"" if (answer.length() or 0) > MAX_MANIFEST else answer.read(MAX_MANIFEST)
                    if not raw or len(raw) > MAX_MANIFEST:
                        size = "empty" if not raw and not answer.length() else f"larger than {MAX_MANIFEST} bytes"
                        raise BadManifest(f"The manifest of {name.short} from {self._origin[1]} is {size}.")
                    return raw
            except ModelError as error:
                patience.pause(error)

    def _ask(self, name: ModelName, what: str, headers: dict[str, str]) -> Answer:
        repository = self._prefix + name.repository
        url = f"{self._base}/v2/{repository}/{what}"
        scope = f"repository:{repository}:pull"
        sent = self._authorizer.header(scope)
        answer = self._transport.open(url, headers=headers, authorization=sent)
        if answer.status == 401 and not answer.redirected:
            with answer:
                challenges = answer.headers.get_all("WWW-Authenticate", [])
            sent = self._authorizer.renew(scope, sent, challenges)
            answer = self._transport.open(url, headers=headers, authorization=sent)
        if answer.status in (200, 206):
            return answer
        with answer:
            raise self._error(name, what, answer)

    def _error(self, name: ModelName, what: str, answer: Answer) -> ModelError:
        asked = f"{name.short} ({what})" if what.startswith("blobs/") else name.short
        if answer.status == 404:
            return ModelNotFound(
                f"{answer.host} has no {asked}.",
                hint="Check the name and the tag; the registry may hide what needs a login.",
            )
        if answer.status in (401, 403) and not answer.redirected:
            return LoginRefused(f"{answer.host} refuses {asked} with status {answer.status}.", hint=HINT)
        said = "" if answer.redirected else self._authorizer.scrub(said_in(answer))
        error = SourceError(f"GET {asked}", answer.status, "", f"{answer.host} said: {said or 'nothing'}")
        error.retry_after = retry_after(answer.headers.get("Retry-After"))
        return error


@dataclass
class ByHost:
    """Each model from the registry whose host its name bears. `login` gives the credentials for a host."""

    login: Callable[[str], Credentials]
    transport: Transport
    limits: Limits = field(default_factory=Limits)
    tell: Emit = quiet
    describe: str = "by host"
    _made: dict[str, Registry] = field(default_factory=dict)

    def of(self, name: ModelName) -> Registry:
        if name.host not in self._made:
            scheme = "http" if self.transport.insecure and name.host != PUBLIC_HOST else "https"
            self._made[name.host] = Registry(
                f"{scheme}://{name.host}",
                self.login(name.host),
                transport=self.transport,
                limits=self.limits,
                tell=self.tell,
            )
        return self._made[name.host]

    def manifest(self, name: ModelName, digest: str) -> bytes:
        """See Source."""
        return self.of(name).manifest(name, digest)

    def bring(self, name: ModelName, blobs: Sequence[Blob], store: Store, meter: Meter, parallel: int) -> None:
        """See Source."""
        self.of(name).bring(name, blobs, store, meter, parallel)


def _split(url: str) -> tuple[str, str]:
    """(scheme and host, prefix of repositories that ends in a slash or is empty)."""
    scheme, dummy, rest = url.partition("://")
    host, dummy, path = rest.partition("/")
    path = path.strip("/")
    parts = path.split("/") if path else []
    if any(part in ("", ".", "..") for part in parts) or quote(path, safe="/") != path:
        raise BadName("The path of a registry's URL must be a plain prefix such as team/models.")
    return f"{scheme}://{host}", f"{path}/" if path else ""


def said_in(answer: Answer) -> str:
    """The registry's own words, as one line."""
    try:
        raw = answer.read(MAX_ERROR)
        body = json.loads(raw)
        first = body["errors"][0]
        return one_line(f"{first.get('code', '')} {first.get('message', '')}", 200)
    except (ModelError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""

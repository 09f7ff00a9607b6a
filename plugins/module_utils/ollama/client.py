# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client of a running Ollama, on the standard library and Ansible's way of finding CA certificates.

It may be used from several threads at once, so it has an opener of its own: Ansible's Request installs a global one for
each call, and reads all CA certificates each time, which takes longer than the call.
No call is repeated here: whoever waits (probe.py, the reconciler) knows for how long it may.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ansible.module_utils.urls import make_context

from ..text import one_line
from .errors import ModelMissing, OllamaError, PullFailed, ServerError, ServerUnreachable
from .records import Generation, LoadedModel, ModelDetails, ModelTag, PullProgress, canonical_name, items

MAX_BODY = 32 * 1024 * 1024  # bytes; a server that sends more is broken or hostile
MAX_LINE = 1024 * 1024
ALWAYS = -1  # keep_alive: until the server stops

HINTS = {
    401: "The server, or a gateway before it, wants a key: set api_key.",
    403: "A gateway may refuse this path or key; an Ollama bound to loopback accepts only local names in url.",
    503: "The server is busy or still starting: try again, or add replicas.",
}


class OllamaClient:
    """`base_url` such as http://10.0.1.17:11434; `timeout` in seconds is the longest silence of one call.

    `token` is sent as a bearer token (for the gateway before Ollama: Ollama itself has no authentication).
    """

    def __init__(
        self,
        base_url: str,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
        validate_certs: bool = True,
        token: str | None = None,
        *,
        ca_path: str | None = None,
        use_proxy: bool = True,
    ) -> None:
        self.base_url = checked_url(base_url)
        self.timeout = timeout
        self._headers = {"Accept": "application/json", "User-Agent": "polycloud.ollama", **(headers or {})}
        if token:
            if not token.isascii() or not token.isprintable() or " " in token:
                # Refused here, because the library would show the value in its own error.
                raise OllamaError("api_key holds a character that cannot be sent.", hint="Look for a stray newline.")
            self._headers["Authorization"] = f"Bearer {token}"
        self._opener = self._make_opener(validate_certs, ca_path, use_proxy)

    def version(self, timeout: float | None = None) -> str:
        return str(self._call("GET", "/api/version", timeout=timeout).get("version", ""))

    def tags(self) -> list[ModelTag]:
        """The models on the server's disk."""
        return [ModelTag.parse(item) for item in items(self._call("GET", "/api/tags"), "models")]

    def ps(self) -> list[LoadedModel]:
        """The models in memory."""
        return [LoadedModel.parse(item) for item in items(self._call("GET", "/api/ps"), "models")]

    def tag(self, name: str) -> ModelTag | None:
        """The model as it is on disk, or None."""
        return next((tag for tag in self.tags() if canonical_name(tag.name) == canonical_name(name)), None)

    def resident(self, name: str) -> LoadedModel | None:
        """The model as it is in memory, or None."""
        return next((model for model in self.ps() if canonical_name(model.name) == canonical_name(name)), None)

    def show(self, name: str) -> ModelDetails:
        return ModelDetails.parse(self._call("POST", "/api/show", {"model": name}, model=name))

    def ready(self, timeout: float | None = None) -> None:
        """Return if the sidecar before this server has its model in memory; it answers 503, and why, where not."""
        self._call("GET", "/readyz", timeout=timeout)

    def drain(self) -> int:
        """Let the sidecar before this server take no more requests, and stay; returns how many still run."""
        return int(self._call("POST", "/drain?exit=false", {}).get("working", 0))

    def working(self) -> int:
        """How many requests the sidecar before this server still answers."""
        return int(self._call("GET", "/drain").get("working", 0))

    def load(self, name: str, keep_alive: int | str = ALWAYS, timeout: float | None = None) -> None:
        """Bring a model into memory and return when it is there.

        keep_alive: how long it stays when idle, in seconds or as a duration such as 30m; -1 for good.
        """
        self._keep(name, keep_alive, timeout)

    def unload(self, name: str, timeout: float | None = None) -> None:
        self._keep(name, 0, timeout)

    def generate(
        self,
        name: str,
        prompt: str,
        *,
        max_tokens: int = 16,
        keep_alive: int | str | None = None,
        timeout: float | None = None,
    ) -> Generation:
        """Answer `prompt` once, without streaming.

        No runner option (num_ctx and the like) is sent: another value than the loaded one would reload the model.
        """
        body: dict[str, Any] = {
            "model": name,
            "prompt": prompt,
            "stream": False,
            "think": False,  # a thinking model would spend a short budget before its first word
            "options": {"num_predict": max_tokens, "temperature": 0},
        }
        if keep_alive is not None:
            body["keep_alive"] = keep_alive
        return Generation.parse(self._call("POST", "/api/generate", body, model=name, timeout=timeout))

    def embed(self, name: str, text: str, *, keep_alive: int | str = ALWAYS, timeout: float | None = None) -> int:
        """Embed `text` and return the length of the vector (0 for an empty text, which only loads the model)."""
        body = {"model": name, "input": text, "keep_alive": keep_alive}
        vectors = self._call("POST", "/api/embed", body, model=name, timeout=timeout).get("embeddings")
        return len(vectors[0]) if isinstance(vectors, list) and vectors and isinstance(vectors[0], list) else 0

    def pull(self, name: str, *, insecure: bool = False, timeout: float = 600.0) -> Iterator[PullProgress]:
        """Fetch a model and yield what the server reports.

        timeout: the longest silence in seconds (the check of a large layer is silent).
        Raises PullFailed for an error in the middle of the stream, and when the stream ends without success.
        """
        status = "nothing"
        body = {"model": name, "stream": True, "insecure": insecure}
        for item in self._stream("POST", "/api/pull", body, model=name, timeout=timeout):
            if "error" in item:
                raise PullFailed(
                    f"Pulling {name} failed on {self.base_url}: {_error_text(item)}.",
                    hint="Check the name and the tag, the server's way to the model source, and its disk.",
                )
            progress = PullProgress.parse(item)
            status = progress.status
            yield progress
        if status != "success":
            raise PullFailed(
                f"The pull of {name} on {self.base_url} was cut off: the last report was '{one_line(status, 80)}'.",
                hint="Run it again: layers that were fetched are kept.",
            )

    def delete(self, name: str) -> None:
        self._call("DELETE", "/api/delete", {"model": name}, model=name)

    def _make_opener(self, validate_certs: bool, ca_path: str | None, use_proxy: bool) -> OpenerDirector:
        if self.base_url.startswith("https:"):
            try:
                context = make_context(cafile=ca_path, validate_certs=validate_certs)
            except (OSError, ValueError) as error:
                raise OllamaError(f"ca_path cannot be used: {one_line(str(error), 120)}.") from None
        else:
            context = SSLContext(PROTOCOL_TLS_CLIENT)  # trusts nobody; never used for http
        proxies = ProxyHandler() if use_proxy else ProxyHandler({})
        return build_opener(proxies, HTTPSHandler(context=context), _NoRedirect())

    def _keep(self, name: str, keep_alive: int | str, timeout: float | None) -> None:
        body = {"model": name, "keep_alive": keep_alive, "stream": False}
        try:
            self._call("POST", "/api/generate", body, model=name, timeout=timeout)
        except ServerError as error:
            # An embedding model cannot generate; an empty text to /api/embed loads it the same way.
            if error.status != 400 or "does not support generate" not in error.message:
                raise
            self.embed(name, "", keep_alive=keep_alive, timeout=timeout)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        model: str = "",
        timeout: float | None = None,
    ) -> Mapping[str, Any]:
        response = self._open(method, path, body, model, timeout)
        try:
            with response:
                raw = response.read(MAX_BODY + 1)
        except (OSError, HTTPException) as error:
            raise self._unreachable(path, error) from error
        if len(raw) > MAX_BODY:
            raise ServerError(path, 200, "", f"the answer is larger than {MAX_BODY} bytes")
        return _decoded(path, raw) if raw.strip() else {}

    def _stream(
        self, method: str, path: str, body: Mapping[str, Any], *, model: str, timeout: float
    ) -> Iterator[Mapping[str, Any]]:
        response = self._open(method, path, body, model, timeout)
        try:
            with response:
                while line := response.readline(MAX_LINE):
                    if line.strip():
                        yield _decoded(path, line)
        except (OSError, HTTPException) as error:
            raise self._unreachable(path, error) from error

    def _open(self, method: str, path: str, body: Mapping[str, Any] | None, model: str, timeout: float | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": "application/json"} if data else self._headers
        try:
            request = Request(self.base_url + path, data, headers, method=method)  # noqa: S310 - see checked_url
            return self._opener.open(request, timeout=timeout or self.timeout)
        except HTTPError as error:
            raise self._refused(path, error, model) from error
        except (OSError, HTTPException, ValueError) as error:
            raise self._unreachable(path, error) from error

    def _refused(self, path: str, error: HTTPError, model: str) -> OllamaError:
        status = int(error.code)
        try:
            text = _error_text(_decoded(path, error.read(MAX_LINE)))
        except (OSError, HTTPException, ServerError):
            text = one_line(str(error.reason), 200)
        # A gateway answers 404 as well; only Ollama names the model.
        if status == 404 and model and "model" in text and "not found" in text:
            return ModelMissing(
                f"{self.base_url} has no model {model}.",
                hint="Pull it (polycloud.ollama.ollama_model), or correct the name or the image.",
            )
        return ServerError(path, status, "", f"{self.base_url} said: {text}", hint=HINTS.get(status, ""))

    def _unreachable(self, path: str, error: Exception) -> ServerUnreachable:
        reason = getattr(error, "reason", None) or error
        return ServerUnreachable(
            f"{self.base_url}{path} gave no answer: {one_line(str(reason), 160) or type(error).__name__}.",
            hint="Check that the server runs, that this machine may reach the port, and url.",
        )


class _NoRedirect(HTTPRedirectHandler):
    """Makes a redirect an error: it could carry the token to another host."""

    def redirect_request(self, *args: Any) -> None:
        return None


def checked_url(url: str) -> str:
    """The URL without a trailing slash. Raises OllamaError for anything but http(s)://host without a user part."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise OllamaError("url cannot be read as a URL.", hint="Write it as http://host:11434.") from None
    if parts.username or parts.password:
        raise OllamaError("url must not hold a user or password.", hint="Set api_key instead.")
    if not usable or parts.query or parts.fragment:
        raise OllamaError(
            f"url is not an http or https address: {one_line(url, 80)}.", hint="Write it as http://host:11434."
        )
    return url.strip().rstrip("/")


def _decoded(path: str, raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, Mapping):
        shown = one_line(raw[:400].decode(errors="replace"), 80)
        raise ServerError(path, 200, "", f"the answer is not JSON: '{shown}'", hint="Is url an Ollama server?")
    return body


def _error_text(body: Mapping[str, Any]) -> str:
    """The text of {"error": "..."} (native), {"error": {"message": "..."}} (/v1) or {"reason": "..."} (/readyz)."""
    error = body.get("error") or body.get("reason")
    text = error.get("message") if isinstance(error, Mapping) else error
    return one_line(str(text or "no reason given"), 300).rstrip(".")

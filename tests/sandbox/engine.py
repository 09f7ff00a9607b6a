# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test engine: speaks the part of Ollama's HTTP API that deployments need, and infers nothing.

Standard library only, so that a workload starts in a few hundredths of a second; ``runtime.py`` runs it as
``python -I -S`` with one JSON argument: ``{"address": "127.64.0.1", "port": 11434, "gpu": false, "faults": [],
"slow_seconds": 20, "token_ms": 1}``. Standard input is the sandbox's lifeline: the engine ends when it closes.
Models come from POLYCLOUD_MODELS (``name[@sha256:hex],...``); OLLAMA_KEEP_ALIVE, OLLAMA_CONTEXT_LENGTH and
OLLAMA_NUM_PARALLEL act as in Ollama. An answer is a fixed function of model and prompt.
Wire format: Ollama's own source, server/routes.go and api/types.go.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.sandbox.engine_models import (
    ApiError,
    Engine,
    Json,
    details,
    model_digest,
    model_size,
    only_embeds,
    parse_keep_alive,
    timestamp,
    vector,
)

VERSION = "0.32.15"
OPENAI_ERRORS = {400: "invalid_request_error", 404: "not_found_error"}


def encoded(body: Json) -> bytes:
    """Return JSON without spaces, as Ollama's own encoder writes it."""
    return json.dumps(body, separators=(",", ":")).encode()


class Handler(BaseHTTPRequestHandler):
    """Answers requests with the engine that ``serve`` has put on the class."""

    engine: Engine
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Write no access log."""

    def handle_any(self) -> None:
        """Find the route and answer; errors take Ollama's shape, or OpenAI's below /v1."""
        path = urlsplit(self.path).path
        method = "GET" if self.command == "HEAD" else self.command
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if (method, path) in ROUTES:
                ROUTES[method, path](self, self._parse(raw))
            elif path in {known for _, known in ROUTES}:
                self.send_bytes(b"405 method not allowed", "text/plain", 405)
            else:
                self.send_bytes(b"404 page not found", "text/plain", 404)
        except ApiError as error:
            shape: Json = {"error": str(error)}
            if path.startswith("/v1/"):
                kind = OPENAI_ERRORS.get(error.status, "api_error")
                shape = {"error": {"message": str(error), "type": kind, "param": None, "code": None}}
            self.send_json(shape, error.status)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any  # noqa: N815 - names that http.server looks up

    def _parse(self, raw: bytes) -> Json:
        if self.command in ("GET", "HEAD"):
            return {}
        try:
            body = json.loads(raw or b"null")
        except ValueError as error:
            raise ApiError(400, f"invalid JSON: {error}") from error
        if not isinstance(body, dict):
            raise ApiError(400, "missing request body")
        return body

    def send_bytes(self, payload: bytes, content_type: str, status: int = 200) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def send_json(self, body: Json, status: int = 200) -> None:
        """Send one JSON object. Ollama names the character set on its own routes only."""
        content_type = "application/json" + ("" if self.path.startswith("/v1/") else "; charset=utf-8")
        self.send_bytes(encoded(body), content_type, status)

    def send_stream(self, lines: Iterator[bytes], content_type: str) -> None:
        """Send chunks as they come."""
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def send_ndjson(self, bodies: Iterator[Json]) -> None:
        """Send JSON objects, one per line."""
        self.send_stream((encoded(body) + b"\n" for body in bodies), "application/x-ndjson")

    def root(self, body: Json) -> None:
        """Answer the health check of the server's root."""
        self.send_bytes(b"Ollama is running", "text/plain; charset=utf-8")

    def version(self, body: Json) -> None:
        """Answer GET /api/version."""
        self.send_json({"version": VERSION})

    def tags(self, body: Json) -> None:
        """Answer GET /api/tags: the models on disk."""
        models = [
            {
                "name": name,
                "model": name,
                "modified_at": timestamp(self.engine.started_at),
                "size": model_size(name),
                "digest": digest,
                "details": details(name),
            }
            for name, digest in self.engine.models.items()
        ]
        self.send_json({"models": models})

    def ps(self, body: Json) -> None:
        """Answer GET /api/ps: the models in memory. ``size_vram`` equals ``size`` on a GPU and is 0 without one."""
        models = [
            {
                "name": name,
                "model": name,
                "size": model_size(name),
                "digest": self.engine.models[name],
                "details": details(name),
                "expires_at": timestamp(until),
                "size_vram": model_size(name) if self.engine.gpu else 0,
                "context_length": self.engine.context_length,
            }
            for name, until in self.engine.loaded().items()
            if name in self.engine.models
        ]
        self.send_json({"models": models})

    def show(self, body: Json) -> None:
        """Answer POST /api/show."""
        name = self.engine.require(body)
        family = details(name)["family"]
        information = {
            "general.architecture": family,
            "general.parameter_count": (model_size(name) - 100_000_000) * 10 // 6,
            f"{family}.context_length": 32768,
        }
        answer = {
            "modelfile": f"FROM {name}\n",
            "template": "{{ .Prompt }}",
            "details": details(name),
            "model_info": information,
            "capabilities": ["embedding"] if only_embeds(name) else ["completion"],
            "modified_at": timestamp(self.engine.started_at),
        }
        self.send_json(answer)

    def pull(self, body: Json) -> None:
        """Answer POST /api/pull; without streaming, an error is a 500 as in Ollama."""
        name = body.get("model") or body.get("name")
        if not name:
            raise ApiError(400, "invalid model name")
        if body.get("stream", True):
            self.send_ndjson(self.engine.pull(name))
            return
        *_, last = self.engine.pull(name)
        self.send_json(last, 500 if "error" in last else 200)

    def delete(self, body: Json) -> None:
        """Answer DELETE /api/delete."""
        name = self.engine.require(body)
        self.engine.unload(name)
        del self.engine.models[name]
        self.send_bytes(b"", "text/plain")

    def generate(self, body: Json) -> None:
        """Answer POST /api/generate."""
        prompt = str(body.get("prompt") or "")
        self._complete(body, prompt, bool(prompt), lambda text: {"response": text})

    def chat(self, body: Json) -> None:
        """Answer POST /api/chat."""
        messages = body.get("messages") or []
        prompt = "\n".join(str(message.get("content", "")) for message in messages)
        self._complete(body, prompt, bool(messages), lambda text: {"message": {"role": "assistant", "content": text}})

    def _complete(self, body: Json, prompt: str, asked: bool, shape: Callable[[str], Json]) -> None:
        """Load, unload or answer, as the request says, streaming unless told otherwise."""
        name, begun = self.engine.require(body), time.monotonic_ns()
        keep_alive = body.get("keep_alive")

        def line(text: str, **rest: Any) -> Json:
            return {"model": body["model"], "created_at": timestamp(time.time()), **shape(text), "done": False, **rest}

        unloads = not asked and keep_alive is not None and parse_keep_alive(keep_alive) == 0
        if only_embeds(name) and not unloads:
            raise ApiError(400, f'"{body["model"]}" does not support {urlsplit(self.path).path.rpartition("/")[2]}')
        if not asked:
            if unloads:
                self.engine.unload(name)
            else:
                self.engine.load(name, keep_alive)
            self.send_json(line("", done=True, done_reason="unload" if unloads else "load"))
            return
        loading = self.engine.load(name, keep_alive)
        limit = int((body.get("options") or {}).get("num_predict", -1))
        tokens: list[str] = []

        def lines() -> Iterator[Json]:
            answering = time.monotonic_ns()
            for token in self.engine.answer(name, prompt, limit):
                tokens.append(token)
                yield line(token)
            reason = "length" if limit == len(tokens) else "stop"
            timings = _timings(begun, loading, answering, len(prompt.split()), len(tokens))
            yield line("", done=True, done_reason=reason, **timings)

        if body.get("stream", True):
            self.send_ndjson(lines())
        else:
            *_, last = lines()
            self.send_json({**last, **shape("".join(tokens))})

    def embed(self, body: Json) -> None:
        """Answer POST /api/embed with vectors that depend on the text only."""
        name, begun = self.engine.require(body), time.monotonic_ns()
        texts = body.get("input") or []
        texts = [texts] if isinstance(texts, str) else texts
        loading = self.engine.load(name, body.get("keep_alive"))
        answer = {
            "model": body["model"],
            "embeddings": [vector(text) for text in texts],
            "total_duration": time.monotonic_ns() - begun,
            "load_duration": loading,
            "prompt_eval_count": sum(len(text.split()) for text in texts),
        }
        self.send_json(answer)

    def openai_models(self, body: Json) -> None:
        """Answer GET /v1/models."""
        created = int(self.engine.started_at)
        models = [
            {"id": name, "object": "model", "created": created, "owned_by": "library"} for name in self.engine.models
        ]
        self.send_json({"object": "list", "data": models})

    def openai_chat(self, body: Json) -> None:
        """Answer POST /v1/chat/completions; streaming only where asked for, as server-sent events."""
        name = self.engine.require(body)
        prompt = "\n".join(str(message.get("content", "")) for message in body.get("messages") or [])
        self.engine.load(name)
        tokens = self.engine.answer(name, prompt, int(body.get("max_tokens") or -1))
        head = {
            "id": f"chatcmpl-{model_digest(prompt)[:6]}",
            "created": int(time.time()),
            "model": body["model"],
            "system_fingerprint": "fp_ollama",
        }
        if body.get("stream"):
            self.send_stream(_events(head, tokens), "text/event-stream")
            return
        answered = list(tokens)
        counts = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(answered)}
        message = {"role": "assistant", "content": "".join(answered)}
        answer = {
            **head,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {**counts, "total_tokens": sum(counts.values())},
        }
        self.send_json(answer)


ROUTES: dict[tuple[str, str], Callable[[Handler, Json], None]] = {
    ("GET", "/"): Handler.root,
    ("GET", "/api/version"): Handler.version,
    ("GET", "/api/tags"): Handler.tags,
    ("GET", "/api/ps"): Handler.ps,
    ("POST", "/api/show"): Handler.show,
    ("POST", "/api/pull"): Handler.pull,
    ("DELETE", "/api/delete"): Handler.delete,
    ("POST", "/api/generate"): Handler.generate,
    ("POST", "/api/chat"): Handler.chat,
    ("POST", "/api/embed"): Handler.embed,
    ("GET", "/v1/models"): Handler.openai_models,
    ("POST", "/v1/chat/completions"): Handler.openai_chat,
}


def _timings(begun: int, loading: int, answering: int, prompt_count: int, count: int) -> Json:
    """Return the final object's counts and durations in ns; like Ollama, leave out what is 0.

    ``begun`` and ``answering`` are monotonic times; half a token's time is ascribed to each token of the prompt.
    """
    now = time.monotonic_ns()
    share = (now - answering) // (prompt_count + 2 * count + 1)
    timings = {
        "total_duration": now - begun,
        "load_duration": loading,
        "prompt_eval_count": prompt_count,
        "prompt_eval_duration": share * prompt_count,
        "eval_count": count,
        "eval_duration": share * 2 * count,
    }
    return {key: value for key, value in timings.items() if value}


def _events(head: Json, tokens: Iterator[str]) -> Iterator[bytes]:
    """Yield the server-sent events of a streamed /v1 answer."""

    def event(content: str, reason: str | None) -> bytes:
        choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": reason}
        chunk = {**head, "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: " + encoded(chunk) + b"\n\n"

    for token in tokens:
        yield event(token, None)
    yield event("", "stop")
    yield b"data: [DONE]\n\n"


class EngineServer(ThreadingHTTPServer):
    """A threaded server that binds without asking the name service for the name of its address."""

    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind the socket only."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


def end_with_lifeline() -> None:
    """Wait until the sandbox closes the pipe, then end at once."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def main(argument: str) -> None:
    """Serve until SIGTERM, which ends Ollama at once with code 0."""
    settings = json.loads(argument)
    faults = settings.get("faults", ())
    if "crash" in faults:
        sys.exit("Error: the image names the fault crash")
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    threading.Thread(target=end_with_lifeline, daemon=True).start()
    if "never-ready" in faults:
        threading.Event().wait()
    Handler.engine = Engine(settings, os.environ)
    with EngineServer((settings["address"], settings["port"]), Handler) as server:
        print(f"Listening on {settings['address']}:{settings['port']} (version {VERSION})", flush=True)
        server.serve_forever()

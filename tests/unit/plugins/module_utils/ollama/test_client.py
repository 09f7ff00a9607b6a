# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client speaks to the test engine, and to a scripted server for what a healthy Ollama never says."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import ApiError, NotFound, Unreachable
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama import client as client_file
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.client import OllamaClient, checked_url
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.errors import (
    ModelMissing,
    OllamaError,
    PullFailed,
    ServerError,
    ServerUnreachable,
)
from ansible_collections.polycloud.ollama.plugins.module_utils.ollama.records import canonical_name
from tests.helpers.certificates import self_signed
from tests.helpers.engines import MODEL, Engines, Scripted

Script = Callable[..., Scripted]


def test_the_models_on_disk_are_read_with_their_digests(engines: Engines) -> None:
    client = OllamaClient(engines.url(models="gemma3:1b,qwen3@sha256:" + "a" * 64))
    assert [tag.name for tag in client.tags()] == ["gemma3:1b", "qwen3:latest"]
    found = client.tag("qwen3")
    assert found is not None
    assert found.digest == "a" * 64
    assert found.family == "qwen3"
    assert found.size > 0
    assert client.tag("gemma3") is None


def test_a_loaded_model_stays_for_good_and_is_on_the_gpu(engines: Engines) -> None:
    client = OllamaClient(engines.url())
    assert client.resident(MODEL) is None
    client.load(MODEL)
    found = client.resident(MODEL)
    assert found is not None
    assert found.stays
    assert found.gpu_ratio == 1.0
    client.unload(MODEL)
    assert client.ps() == []


def test_a_model_loaded_with_an_idle_time_does_not_stay_for_good(engines: Engines) -> None:
    client = OllamaClient(engines.url())
    client.load(MODEL, "30m")
    found = client.resident(MODEL)
    assert found is not None
    assert not found.stays


def test_an_answer_has_its_speed_from_the_servers_own_timings(engines: Engines) -> None:
    answer = OllamaClient(engines.url()).generate(MODEL, "hello", max_tokens=4)
    assert len(answer.answer.split()) == 4
    assert answer.answer_tokens == 4
    assert answer.tokens_per_second is not None
    assert answer.tokens_per_second == pytest.approx(4 / answer.answer_seconds, abs=0.1)


def test_a_prompt_never_carries_an_option_that_would_reload_the_model(scripted: Script) -> None:
    server = scripted({"/api/generate": (200, b'{"response": "hi", "done": true}')})
    OllamaClient(server.url).generate(MODEL, "hello")
    body = json.loads(server.requests[0][3])
    assert set(body["options"]) == {"num_predict", "temperature"}
    assert "keep_alive" not in body


def test_an_embedding_model_is_loaded_and_asked_in_its_own_way(engines: Engines) -> None:
    client = OllamaClient(engines.url(models="nomic-embed-text"))
    assert client.show("nomic-embed-text").only_embeds
    client.load("nomic-embed-text")
    assert client.resident("nomic-embed-text") is not None
    assert client.embed("nomic-embed-text", "hello") > 0
    client.unload("nomic-embed-text")
    assert client.resident("nomic-embed-text") is None


@pytest.mark.parametrize("call", ["show", "load", "delete", "unload"])
def test_a_missing_model_is_named(engines: Engines, call: str) -> None:
    client = OllamaClient(engines.url())
    with pytest.raises(ModelMissing, match="has no model llama9") as caught:
        getattr(client, call)("llama9")
    assert isinstance(caught.value, NotFound)


@pytest.mark.parametrize(
    "page", [b"<html>no such page</html>", b'{"error": "no route found"}', b'{"error": "not found"}']
)
def test_a_gateways_404_is_not_taken_for_a_missing_model(scripted: Script, page: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        OllamaClient(scripted({"/api/generate": (404, page)}).url).load(MODEL)
    assert caught.value.status == 404


def test_a_pull_reports_its_layers_and_leaves_the_model(engines: Engines) -> None:
    client = OllamaClient(engines.url(models=""))
    lines = list(client.pull(MODEL))
    assert lines[-1].status == "success"
    assert any(0 < line.completed == line.total for line in lines)
    assert client.tag(MODEL) is not None


def test_an_error_in_the_middle_of_a_pull_is_an_error(engines: Engines) -> None:
    """The server has answered 200 by then: the error is a line of the stream."""
    with pytest.raises(PullFailed, match="file does not exist"):
        list(OllamaClient(engines.url()).pull("missing-model"))


def test_a_pull_that_is_cut_off_is_not_a_success(scripted: Script) -> None:
    server = scripted({"/api/pull": (200, b'{"status":"pulling manifest"}\n\n{"status":"pulling abc"}\n')})
    with pytest.raises(PullFailed, match="cut off: the last report was 'pulling abc'"):
        list(OllamaClient(server.url).pull(MODEL))


def test_a_deleted_model_is_gone(engines: Engines) -> None:
    client = OllamaClient(engines.url())
    client.delete(MODEL)
    assert client.tags() == []


def test_nothing_listening_is_unreachable_and_says_where() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(ServerUnreachable, match=f"{url}/api/version gave no answer") as caught:
            OllamaClient(url).version()
    assert isinstance(caught.value, Unreachable)


def test_silence_is_unreachable_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ServerUnreachable, match="timed out"):
        OllamaClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2).version()


def test_a_web_page_is_not_taken_for_an_ollama(scripted: Script) -> None:
    server = scripted({"/api/version": (200, b"<html>Welcome</html>")})
    with pytest.raises(ServerError, match="not JSON: '<html>Welcome</html>'"):
        OllamaClient(server.url).version()


def test_an_endless_answer_is_refused(scripted: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_file, "MAX_BODY", 100)
    server = scripted({"/api/tags": (200, b" " * 101)})
    with pytest.raises(ServerError, match="larger than 100 bytes"):
        OllamaClient(server.url).tags()


@pytest.mark.parametrize("body", [b"{}", b'{"models": null}', b'{"models": [null, 3]}', b'{"models": "all"}'])
def test_odd_lists_are_empty_lists(scripted: Script, body: bytes) -> None:
    assert OllamaClient(scripted({"/api/tags": (200, body)}).url).tags() == []


def test_the_token_is_a_bearer_token_and_follows_no_redirect(scripted: Script) -> None:
    elsewhere = scripted({"/api/version": (200, b'{"version": "1"}')})
    server = scripted({"/api/version": (302, b"")}, {"Location": f"{elsewhere.url}/api/version"})
    with pytest.raises(ApiError) as caught:
        OllamaClient(server.url, token="canary-7f3a").version()
    assert caught.value.status == 302
    assert server.requests[0][2]["Authorization"] == "Bearer canary-7f3a"
    assert elsewhere.requests == []
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("token", ["canary\n", "canary 1", "canary\u00e9"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(OllamaError, match="api_key holds a character") as caught:
        OllamaClient("http://127.0.0.1:1", token=token)
    assert "canary" not in repr(caught.value)


def test_a_certificate_must_be_valid_unless_told_otherwise(scripted: Script, tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    server = scripted({"/api/version": (200, b'{"version": "1"}')}, certificate=certificate)
    with pytest.raises(ServerUnreachable, match=r"(?i)certificate verify failed"):
        OllamaClient(server.url).version()
    assert OllamaClient(server.url, ca_path=str(certificate)).version() == "1"
    assert OllamaClient(server.url, validate_certs=False).version() == "1"


def test_a_ca_file_that_is_not_there_is_named_by_its_option() -> None:
    with pytest.raises(OllamaError, match="ca_path cannot be used"):
        OllamaClient("https://127.0.0.1:1", ca_path="/nonexistent.pem")


def test_a_refused_key_says_which_option_to_set(scripted: Script) -> None:
    server = scripted({"/api/version": (401, b'{"error": {"message": "invalid key", "type": "auth"}}')})
    with pytest.raises(ServerError, match=r"invalid key.*set api_key"):
        OllamaClient(server.url).version()


def test_the_text_of_an_error_cannot_move_the_cursor(scripted: Script) -> None:
    server = scripted({"/api/version": (500, json.dumps({"error": "bad\n\x1b[2Jchanged: [host]\u202e"}).encode())})
    with pytest.raises(ServerError) as caught:
        OllamaClient(server.url).version()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://10.0.0.1", "not an http or https address"),
        ("10.0.0.1:11434", "not an http or https address"),
        ("http://", "not an http or https address"),
        ("http://h:99999", "cannot be read"),
        ("http://h/?key=1", "not an http or https address"),
        ("http://user:canary@h:11434", "must not hold a user"),
    ],
)
def test_a_wrong_url_is_refused_before_any_call(url: str, said: str) -> None:
    with pytest.raises(OllamaError, match=said) as caught:
        checked_url(url)
    assert "canary" not in str(caught.value)


def test_a_url_may_have_a_path_and_a_slash_at_its_end() -> None:
    assert checked_url(" https://gateway.example/ollama/ ") == "https://gateway.example/ollama"


@pytest.mark.parametrize(
    ("one", "other"), [("gemma3", "gemma3:latest"), ("library/gemma3:1b", "gemma3:1b"), ("me/Phi:Q4", "me/phi:q4")]
)
def test_names_that_mean_the_same_model_are_equal(one: str, other: str) -> None:
    assert canonical_name(one) == canonical_name(other)


def test_names_of_different_models_differ() -> None:
    assert len({canonical_name(name) for name in ("gemma3", "gemma3:1b", "me/gemma3", "gemma3:1b-it")}) == 4

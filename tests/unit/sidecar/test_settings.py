# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings: from the environment and a file, all problems at once, secrets in none of them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama_sidecar import __main__ as command
from ollama_sidecar import settings
from ollama_sidecar.rules import address
from ollama_sidecar.settings import Settings, Wrong

from tests.tools import sidecar_settings

HASH = "a" * 64


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SIDECAR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Any:
    def put(**given: str) -> None:
        for name, value in given.items():
            monkeypatch.setenv(f"SIDECAR_{name}", value)

    return put


def problems() -> dict[str, str]:
    """Each problem by the name of its setting."""
    with pytest.raises(Wrong) as told:
        settings.read()
    return {name: text for name, dummy, text in (line.partition(": ") for line in str(told.value).splitlines())}


def test_nothing_needs_to_be_set() -> None:
    found = settings.read()
    assert found.listen == "0.0.0.0:8080"
    assert found.keys == ()
    assert found.cache_url.get_secret_value() == ""


def test_words_are_separated_by_commas(put: Any) -> None:
    put(MODELS=" a, b:1b,,", KEEP_OPTIONS="num_ctx", NUM_PARALLEL="4", ALLOW_SHOW="true")
    found = settings.read()
    assert (found.models, found.keep_options, found.num_parallel) == (("a", "b:1b"), ("num_ctx",), 4)
    assert found.allow_show


def test_keys_are_json(put: Any) -> None:
    put(KEYS=json.dumps([{"id": "one", "sha256": HASH, "models": ["tiny"], "concurrency": 2}]))
    (key,) = settings.read().keys
    assert (key.id, key.models, key.concurrency, key.requests_per_minute) == ("one", ("tiny",), 2, 0)


def test_every_problem_is_told_at_once_by_its_name(put: Any) -> None:
    put(
        LISTEN="8080",
        UPSTREAM="http://192.0.2.1:11434",
        NUM_PARALLEL="0",
        TRUSTED_PROXIES="10.0.0.1/8,here",
        KEYS='[{"id":"a b","sha256":"x","more":1}]',
        DRAIN_TOKEN_SHA256="plain",
        QUEUE_SECONDS="soon",
        COLOUR="red",
    )
    found = problems()
    assert found.keys() >= {
        "SIDECAR_COLOUR",
        "SIDECAR_LISTEN",
        "SIDECAR_UPSTREAM",
        "SIDECAR_NUM_PARALLEL",
        "SIDECAR_TRUSTED_PROXIES",
        "SIDECAR_KEYS.0.ID",
        "SIDECAR_KEYS.0.SHA256",
        "SIDECAR_KEYS.0.MORE",
        "SIDECAR_DRAIN_TOKEN_SHA256",
        "SIDECAR_QUEUE_SECONDS",
    }
    assert found["SIDECAR_COLOUR"] == "there is no such setting"


@pytest.mark.parametrize(
    "upstream",
    [
        "https://127.0.0.1:11434",
        "http://example.org:11434",
        "http://0.0.0.0:11434",
        "http://127.0.0.1:11434/path",
        "http://user:secret@127.0.0.1:11434",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://",
        "127.0.0.1:11434",
        "",
    ],
)
def test_ollama_is_on_loopback_and_plain(put: Any, upstream: str) -> None:
    put(UPSTREAM=upstream)
    found = problems()
    assert set(found) == {"SIDECAR_UPSTREAM"}
    assert "secret" not in found["SIDECAR_UPSTREAM"]


@pytest.mark.parametrize("upstream", ["http://localhost:11434", "http://[::1]:11434", "http://127.0.0.1:11434/"])
def test_loopback_has_several_names(put: Any, upstream: str) -> None:
    put(UPSTREAM=upstream)
    assert settings.read().upstream == upstream


@pytest.mark.parametrize("text", ["8080", ":8080", "0.0.0.0:", "0.0.0.0:x", "0.0.0.0:65536", "0.0.0.0:-1"])
def test_a_place_to_listen_is_host_and_port(put: Any, text: str) -> None:
    put(METRICS_LISTEN=text)
    assert problems() == {"SIDECAR_METRICS_LISTEN": "must be HOST:PORT"}


def test_host_and_port_are_taken_apart() -> None:
    assert address("[::]:80") == ("::", 80)
    assert address("0.0.0.0:0") == ("0.0.0.0", 0)


def test_listeners_need_a_port_each_and_keys_a_name_each(put: Any) -> None:
    keys = [{"id": "one", "sha256": HASH}, {"id": "one", "sha256": HASH}]
    put(LISTEN="0.0.0.0:80", METRICS_LISTEN="127.0.0.1:80", KEYS=json.dumps(keys))
    assert problems() == {
        "SIDECAR_KEYS": "two of them have the same id; two of them are the same key",
        "SIDECAR_METRICS_LISTEN": "must have a port of its own, LISTEN has the same",
    }


REFUSED = {
    "LISTEN": (["", "127.0.0.1"], ["[::]:80", "0.0.0.0:0"]),
    "ADMIN_LISTEN": (["127.0.0.1:8080"], ["127.0.0.1:8082", ""]),
    "UPSTREAM": (
        ["http://127.0.0.1:8080", "http://localhost:8081", "http://127.0.0.1:8081", "http://[::1]:9091"],
        ["http://127.0.0.2:8081"],
    ),
    "KEEP_OPTIONS": (["num_ctx,colour", "temperature"], ["num_ctx,num_batch"]),
    "USER_HEADER": (["", "X User", "X-User:"], ["X-User"]),
    "EMF_NAMESPACE": (["a b", "caf\u00e9", "x" * 256], ["Ollama/prod#1:a_b.c-d"]),
    "OTLP_ENDPOINT": (
        [
            *("127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http://a:b@c", "http://c?d", "http://c#d"),
            *("http://c:99999", "http://c:0", "http://c:port", "http://[c", "http://c d"),
        ],
        ["http://127.0.0.1:4318", "https://collector.example.org/base"],
    ),
    "OTLP_HEADERS": (
        ["secret", "a b=secret", "a=secret%0d%0ab: c", "=secret", "a=secr%C3%A9t"],
        ["api-key=a%20b,other=c"],
    ),
    "CACHE_URL": (
        [
            *("http://:secret@h", "redis://:secret@h:99999", "redis://:secret#x@h/0", "redis://:secret@h/first"),
            *("redis://:x@secret/y@h/0", "redis://h?secret=1"),
        ],
        ["redis://:secret@127.0.0.1:6379/2", "rediss://user:secret@h", "redis://h/"],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_by_the_name_of_its_setting_and_not_quoted(put: Any, name: str) -> None:
    for value in REFUSED[name][0]:
        put(**{name: value})
        found = problems()
        assert set(found) == {f"SIDECAR_{name}"}, value
        assert "secr" not in str(found)
    for value in REFUSED[name][1]:
        put(**{name: value})
        settings.read()


def test_what_two_settings_do_together_is_told_with_all_the_rest(put: Any) -> None:
    keys = [{"id": "one", "sha256": HASH}, {"id": "two", "sha256": HASH}]
    put(LISTEN="0.0.0.0:80", METRICS_LISTEN="127.0.0.1:80", UPSTREAM="http://127.0.0.1:80", KEYS=json.dumps(keys))
    put(NUM_PARALLEL="0", CACHE_URL="http://", OTLP_ENDPOINT="collector", OTLP_HEADERS="x", EMF_NAMESPACE="a b")
    names = "METRICS_LISTEN UPSTREAM KEYS NUM_PARALLEL CACHE_URL OTLP_ENDPOINT OTLP_HEADERS EMF_NAMESPACE"
    assert set(problems()) == {f"SIDECAR_{name}" for name in names.split()}


def test_a_listener_may_be_left_out(put: Any) -> None:
    put(ADMIN_LISTEN="", METRICS_LISTEN="")
    assert (settings.read().admin_listen, settings.read().metrics_listen) == ("", "")


def test_the_environment_wins_over_the_file(put: Any, tmp_path: Path) -> None:
    path = tmp_path / "sidecar.toml"
    path.write_text(
        f'num_parallel = 2\nmax_queued = 7\nmodels = ["a", "b"]\n[[keys]]\nid = "one"\nsha256 = "{HASH}"\n',
        encoding="utf-8",
    )
    put(CONFIG=str(path), NUM_PARALLEL="5")
    found = settings.read()
    assert (found.num_parallel, found.max_queued, found.models, found.keys[0].id) == (5, 7, ("a", "b"), "one")


def test_a_file_that_is_not_there_is_told_and_so_is_the_rest(put: Any, tmp_path: Path) -> None:
    put(CONFIG=str(tmp_path / "none.toml"), NUM_PARALLEL="0")
    found = problems()
    assert set(found) == {"SIDECAR_CONFIG", "SIDECAR_NUM_PARALLEL"}
    assert "No such file" in found["SIDECAR_CONFIG"]


@pytest.mark.parametrize(
    "content",
    [b'cache_url = "redis://:topsecret', b"topsecret", b"[topsecret]\n" * 2, b"\xfftopsecret", b"a = topsecret"],
)
def test_a_file_that_is_no_toml_is_told_without_its_content(put: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sidecar.toml").write_bytes(content)
    put(CONFIG=str(tmp_path / "sidecar.toml"))
    found = problems()
    assert set(found) == {"SIDECAR_CONFIG"}
    assert "topsecret" not in str(found)


def test_names_in_the_file_may_be_written_as_in_the_environment(put: Any, tmp_path: Path) -> None:
    (tmp_path / "sidecar.toml").write_text('LISTEN = "127.0.0.1:81"\nMax_Queued = 3\n', encoding="utf-8")
    put(CONFIG=str(tmp_path / "sidecar.toml"))
    found = settings.read()
    assert (found.listen, found.max_queued) == ("127.0.0.1:81", 3)
    (tmp_path / "sidecar.toml").write_text("max_queued = 3\nMAX_QUEUED = 4\n", encoding="utf-8")
    assert problems() == {"SIDECAR_CONFIG": "a setting is there twice, in different cases"}


def test_a_member_of_the_file_that_is_no_setting_is_told(put: Any, tmp_path: Path) -> None:
    (tmp_path / "sidecar.toml").write_text("colour = 1\n", encoding="utf-8")
    put(CONFIG=str(tmp_path / "sidecar.toml"))
    assert "SIDECAR_COLOUR" in problems()


def test_secrets_are_in_no_message_and_no_picture_of_the_settings(put: Any, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "s3cr3t-word"
    put(CACHE_URL=f"redis://:{secret}@127.0.0.1", OTLP_HEADERS=f"key={secret}")
    assert secret not in repr(settings.read())
    assert secret not in str(settings.read().model_dump())
    put(
        KEYS=f'[{{"id":"{secret}!","sha256":"{secret}"}}, {secret}',
        DRAIN_TOKEN_SHA256=secret,
        UPSTREAM=f"http://{secret}@x",
    )
    assert command.main(["check"]) == 2
    told = capsys.readouterr()
    assert "SIDECAR_KEYS" in told.err
    assert secret not in told.err + told.out
    put(KEYS=json.dumps([{"id": f"{secret}!", "sha256": secret, "models": {secret: 1}, "concurrency": secret}]))
    assert command.main([]) == 2
    told = capsys.readouterr()
    assert "SIDECAR_KEYS.0.SHA256" in told.err
    assert secret not in told.err + told.out


@given(
    st.dictionaries(
        st.sampled_from(sorted(Settings.model_fields)),
        st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=12),
    )
)
def test_no_environment_crashes_the_check(given: dict[str, str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(f"SIDECAR_{name.upper()}", value)
        told = ["SIDECAR_"]
        try:
            settings.read()
        except Wrong as wrong:
            told = str(wrong).splitlines()
        assert all(line.startswith("SIDECAR_") for line in told)


def test_the_command_makes_a_key_of_which_only_the_hash_is_for_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["key", "team-a"]) == 0
    told = capsys.readouterr()
    made = json.loads(told.out)
    secret = told.err.strip().rpartition(" ")[2]
    assert settings.Key(**made).id == "team-a"
    assert made["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert command.main(["key", "not a name"]) == 2


def test_the_command_says_that_the_settings_are_right(put: Any) -> None:
    put(MODELS="tiny")
    assert command.main(["check"]) == 0


def test_the_readme_has_every_setting_as_it_is() -> None:
    text = sidecar_settings.README.read_text(encoding="utf-8")
    assert text == sidecar_settings.written(text), "python -m tests.tools.sidecar_settings writes it"
    for name in Settings.model_fields:
        assert f"| `SIDECAR_{name.upper()}` |" in text

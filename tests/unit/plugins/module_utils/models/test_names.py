# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names resolve as Ollama resolves them, and no name leads out of the models folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils.models.errors import BadName
from ansible_collections.polycloud.ollama.plugins.module_utils.models.names import blob_file, from_path, parse

DIGEST = "sha256:" + "ab" * 32

part = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", fullmatch=True)
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}", fullmatch=True).filter(
    lambda text: text.lower() not in ("cloud", "local") and not text.lower().endswith("-cloud")
)
host = st.from_regex(r"[a-z0-9]{1,10}\.[a-z]{2,5}(:[0-9]{1,5})?", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("gemma3", "manifests/registry.ollama.ai/library/gemma3/latest"),
        ("gemma3:1b", "manifests/registry.ollama.ai/library/gemma3/1b"),
        ("ada/tiny", "manifests/registry.ollama.ai/ada/tiny/latest"),
        ("MFDoom/Deep.Seek:Q4_K_M", "manifests/registry.ollama.ai/MFDoom/Deep.Seek/Q4_K_M"),
        (f"gemma3:1b@{DIGEST}", "manifests/registry.ollama.ai/library/gemma3/1b"),
        (f"gemma3@{DIGEST}", "manifests/registry.ollama.ai/library/gemma3/latest"),
    ],
)
def test_what_a_name_leaves_out_is_filled_in_as_ollama_does(text: str, path: str) -> None:
    assert str(parse(text).path) == path


def test_a_digest_is_kept_with_or_without_its_algorithm() -> None:
    assert parse(f"gemma3@{DIGEST}").digest == parse("gemma3@" + "ab" * 32).digest == DIGEST
    assert parse("gemma3").digest == ""


def test_a_host_is_read_only_where_the_caller_allows_it() -> None:
    text = "models.example.org:5000/ada/tiny:1"
    assert str(parse(text, allow_host=True).path) == "manifests/models.example.org:5000/ada/tiny/1"
    with pytest.raises(BadName, match="must not name a registry host"):
        parse(text)


def test_names_are_shown_without_what_is_the_default() -> None:
    assert parse("gemma3").short == "gemma3:latest"
    assert parse("ada/tiny:1").short == "ada/tiny:1"
    assert parse("models.example.org/ada/tiny", allow_host=True).short == "models.example.org/ada/tiny:latest"


@pytest.mark.parametrize("allow_host", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "../../etc/passwd",
        "..",
        "library/..",
        "gemma3:..",
        "gemma3:../x",
        "gemma3/../../x",
        "../library/gemma3",
        "./library/gemma3",
        "host/library/gemma3",
        "a..b.org/library/gemma3",
        "-a.org/library/gemma3",
        "a.org:99999999/library/gemma3",
        "/etc/passwd",
        "a.org//gemma3",
        "gemma3\n",
        "gemma3\nFROM scratch",
        "gemma3\0",
        "gеmma3",  # noqa: RUF001 - the second letter is Cyrillic
        "gemma3:１b",  # noqa: RUF001 - a full-width digit
        "gemma3:1b;rm -rf x",
        "{{ lookup('env', 'HOME') }}",
        "g" * 300,
        "gemma3:" + "1" * 300,
        "gemma3@sha256:abc",
        f"gemma3@{DIGEST}@{DIGEST}",
        f"gemma3@{DIGEST.upper()}",
        f"gemma3@sha256:../{'a' * 61}",
        f"gemma3@{DIGEST}\n",
        "gemma3:cloud",
    ],
)
def test_hostile_names_are_refused_in_one_printable_line(text: str, allow_host: bool) -> None:
    with pytest.raises(BadName) as caught:
        parse(text, allow_host=allow_host)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 400


@given(namespace=part, model=part, tag=tag, where=st.one_of(st.none(), host))
def test_a_name_and_its_path_say_the_same(namespace: str, model: str, tag: str, where: str | None) -> None:
    text = f"{namespace}/{model}:{tag}" if where is None else f"{where}/{namespace}/{model}:{tag}"
    name = parse(text, allow_host=True)
    assert from_path(name.path.parts[1:]) == name
    assert parse(name.full, allow_host=True) == parse(name.short, allow_host=True) == name


@given(st.text(max_size=200), st.booleans())
def test_no_text_leads_out_of_the_models_folder(text: str, allow_host: bool) -> None:
    try:
        name = parse(text, allow_host=allow_host)
    except BadName:
        return
    assert_inside(name.path.parts)


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "//", ":", "@", "a.b", "\\", "%2e%2e", "~", "\n"]), max_size=9))
def test_no_mixture_of_path_characters_leads_out_of_the_models_folder(pieces: list[str]) -> None:
    try:
        name = parse("".join(pieces), allow_host=True)
    except BadName:
        return
    assert_inside(name.path.parts)


def assert_inside(parts: tuple[str, ...]) -> None:
    root = Path("/models")
    assert len(parts) == 5
    assert not {"", ".", ".."} & set(parts)
    assert (root / Path(*parts)).resolve().is_relative_to(root)


@pytest.mark.parametrize("parts", [("a.org", "b", "c"), ("..", "..", "x", "y"), ("a.org", "b", "c", ".hidden")])
def test_a_path_that_is_no_manifest_has_no_name(parts: tuple[str, ...]) -> None:
    with pytest.raises(BadName):
        from_path(parts)


@given(st.one_of(st.text(max_size=80), st.text(max_size=80).map(lambda text: f"sha256:{text}")))
def test_only_a_digest_names_a_blob(text: str) -> None:
    try:
        file = blob_file(text)
    except BadName:
        return
    assert file == "sha256-" + text[7:]
    assert len(text) == 71
    assert set(text[7:]) <= set("0123456789abcdef")


def test_the_file_of_a_blob_is_named_as_ollama_names_it() -> None:
    assert blob_file(DIGEST) == "sha256-" + "ab" * 32

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on tags: legal on every cloud, stable over runs, and telling nothing about secrets."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.polycloud.ollama.plugins.module_utils import release
from ansible_collections.polycloud.ollama.plugins.module_utils.release import Record, config_hash, secrets_digest
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import Ref

HASHES = st.text("0123456789abcdef", min_size=40, max_size=40)
LEGAL = re.compile(r"[A-Za-z0-9 _.:/=+@-]{1,256}")


@given(st.lists(HASHES, max_size=12), st.text("abc:-0123456789", min_size=1, max_size=60))
def test_a_record_is_read_back_from_legal_tags(hashes: list[str], name: str) -> None:
    record = Record(deployment="chat", release=name, last_good=name, secrets="c2FsdA:ZGlnZXN0")
    for item in hashes:
        record = release.with_rejected(record, item)

    tags = record.to_tags()

    assert Record.from_tags(tags) == record
    assert all(LEGAL.fullmatch(value) for value in tags.values())
    assert len(record.rejected) <= release.REJECTED_KEPT


def test_a_good_release_moves_the_former_one_to_previous_and_clears_its_rejection() -> None:
    first = release.with_good(Record(), "chat:1", "a" * 40)
    bad = release.with_rejected(first, "b" * 40)
    second = release.with_good(bad, "chat:2", "b" * 40)

    assert (first.last_good, first.previous_good, first.proven) == ("chat:1", "", True)
    assert (second.last_good, second.previous_good, second.rejected) == ("chat:2", "chat:1", ())
    assert release.with_good(second, "chat:2", "b" * 40) == second


def test_the_configuration_hash_depends_on_content_not_on_order_or_on_ids_of_other_resources() -> None:
    one = config_hash({"image": "a", "file_system": Ref("efs"), "env": {"A": "1", "B": "2"}}, {})
    two = config_hash({"env": {"B": "2", "A": "1"}, "file_system": Ref("efs"), "image": "a"}, {})

    assert one == two
    assert re.fullmatch(r"[0-9a-f]{40}", one)
    assert one != config_hash({"image": "b", "file_system": Ref("efs"), "env": {"A": "1", "B": "2"}}, {})
    assert config_hash({}, {"K": "1"}) != config_hash({}, {"K": "2"})


@settings(max_examples=5)
@given(st.dictionaries(st.text("AB", min_size=1, max_size=2), st.text(max_size=8), min_size=1, max_size=3))
def test_equal_secrets_keep_their_digest_and_a_changed_one_gets_another(values: dict[str, str]) -> None:
    digest = secrets_digest(values)

    assert secrets_digest(values, digest) == digest
    assert secrets_digest({**values, "NEW": "x"}, digest) != digest
    assert secrets_digest(values) != digest, "a fresh salt each time"
    assert LEGAL.fullmatch(digest)


def test_no_secrets_need_no_digest_and_a_broken_tag_is_replaced() -> None:
    assert secrets_digest({}, "anything") == ""
    assert LEGAL.fullmatch(secrets_digest({"K": "v"}, "not a digest"))

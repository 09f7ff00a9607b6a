# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each platform in turn, in a fresh sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.adapters import ADAPTERS, CANARY, Adapter
from tests.contract.subject import Subject
from tests.sandbox.launcher import Sandbox


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.platform)
def subject(request: pytest.FixtureRequest, clouds: Sandbox) -> Iterator[Subject]:
    adapter: Adapter = request.param
    subject = Subject(adapter, clouds, adapter.args(clouds))
    yield subject
    assert not [text for text in subject.said if CANARY in text], "a secret was printed"


@pytest.fixture
def deployed(subject: Subject) -> Subject:
    subject.run()
    subject.clear()
    return subject

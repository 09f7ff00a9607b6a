# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference of the sidecar is what the sidecar says of itself."""

from __future__ import annotations

import re

from tests.helpers.tree import ROOT, load
from tests.tools.sidecar_docs import PAGE, page

GUIDE = (ROOT / "docs" / "guides" / "sidecar.md").read_text(encoding="utf-8")


def test_the_reference_is_what_the_sidecar_says_now() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.tools.sidecar_docs`"


def test_the_guide_names_no_setting_and_no_metric_that_is_not_there() -> None:
    rules = (ROOT / "roles/image/files/sidecar/prometheus/rules.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:SIDECAR_[A-Z_]+|(?:job\w*:)?ollama_[a-z_]+(?::\w+)*)\b", GUIDE))
    variables = load("roles/common/meta/argument_specs.yml")["argument_specs"]["deployment"]["options"]
    assert "ollama_sidecar" in named
    assert [name for name in named if name not in page() and name not in rules and name not in variables] == []

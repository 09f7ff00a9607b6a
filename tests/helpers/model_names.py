# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of models, and what Ollama makes of them. A real test asks the real Ollama the same names."""

from __future__ import annotations

NAMES = (
    "gemma3",
    "gemma3:1b",
    "ada/tiny",
    "Gemma3",
    "MFDoom/deepseek-r1:1.5b",
    "ada/Tiny:Q4_K_M",
    "_hidden",
    "ada/_tiny:_1",
    "a" * 80,
    "a/" + "b" * 80 + ":" + "c" * 80,
    "a..b",
    "a.",
    "a-",
    "gpt-oss-cloud",
    "cloudy:1b",
    "tiny:cloudy",
)
NO_NAMES = (
    "a" * 81,
    "a" * 81 + "/b",
    "a:" + "b" * 81,
    "-tiny",
    ".tiny",
    "tiny:-1",
    "tiny:.1",
    "tiny:",
    ":1b",
    "/tiny",
    "ada/",
    "a.b/tiny",
    "a:b/tiny",
    "a:b:c",
    "..",
    "../x",
    "ada/..",
    "tiny:..",
    "../../etc/passwd",
    "tiny\n",
    "ti ny",
    "ti;ny",
    "ti+ny",
    "ti~ny",
    "ti%6ey",
    "ti\\ny",
    "{{ tiny }}",
    "t\u0456ny",
    "tiny:\uff11b",
)
# What Ollama reads, and we refuse: it sends prompts away, or means something else than the tag that it looks like.
NOT_OF_THIS_SERVER = ("gpt-oss:120b-cloud", "gpt-oss:cloud", "gpt-oss:CLOUD", "ada/tiny:x-Cloud")
NO_TAG = ("tiny:local", "ada/tiny:LOCAL")

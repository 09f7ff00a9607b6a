# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module in no action group."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_bad_fixture
short_description: In no action group
version_added: 0.1.0
description: A module that meta/runtime.yml forgets.
author: nobody
extends_documentation_fragment: [polycloud.ollama.attributes, polycloud.ollama.attributes.actiongroup_aws]
"""

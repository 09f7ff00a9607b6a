# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that every module declares, and the action groups they belong to."""

from __future__ import annotations


class ModuleDocFragment:
    """`polycloud.ollama.attributes` and its parts."""

    # A module using this says check_mode.support, diff_mode.support, idempotent.support and platform.platforms itself.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
      - This assumes that the system controlled/queried by the module has not changed in a relevant way.
  platform:
    description: Operating systems that the module runs on.
    support: full
    platforms: posix
"""

    # For modules that only read; used together with the standard fragment.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This action does not modify state.
  diff_mode:
    support: N/A
    details:
      - This action does not modify state.
  idempotent:
    support: full
    details:
      - This action does not modify state.
"""

    ACTIONGROUP_AWS = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/polycloud.ollama.aws) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - polycloud.ollama.aws
      - polycloud.ollama.all
"""

    ACTIONGROUP_AZURE = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/polycloud.ollama.azure) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - polycloud.ollama.azure
      - polycloud.ollama.all
"""

    # For modules that belong to no cloud.
    ACTIONGROUP_ALL = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/polycloud.ollama.all) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - polycloud.ollama.all
"""

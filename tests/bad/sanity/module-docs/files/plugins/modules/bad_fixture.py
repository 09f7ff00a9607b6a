#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module with faults in its documentation."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bad_fixture
short_description: Names an option that it does not have
version_added: 0.1.0
description:
  - See O(missing).
author:
  - nobody (@nobody)
options:
  name:
    description: A name.
    type: str
"""

EXAMPLES = r"""
- name: Call it
  polycloud.ollama.bad_fixture:
    name: one
"""

RETURN = r"""{}"""

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    AnsibleModule(argument_spec={"other": {"type": "int"}}).exit_json()


if __name__ == "__main__":
    main()

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a running Ollama. Held equal to module_utils/ollama/options.py by a test."""

from __future__ import annotations


class ModuleDocFragment:
    """`polycloud.ollama.ollama`."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Address of the Ollama server, or of the gateway in front of it.
      - A user or password in it is refused; use O(api_key).
    type: str
    default: http://127.0.0.1:11434
  api_key:
    description:
      - Sent as a bearer token. Ollama itself has no authentication; a gateway in front of it may want one.
      - Use it with an V(https) O(url), because it is readable on the way otherwise.
    type: str
  validate_certs:
    description: Whether the certificate of an V(https) O(url) must be valid.
    type: bool
    default: true
  ca_path:
    description: File with the CA certificates that the certificate of O(url) is checked against.
    type: path
  use_proxy:
    description: Whether the proxy settings of the environment are used.
    type: bool
    default: true
  request_timeout:
    description:
      - Longest silence of one call in seconds.
      - Loading, pulling and asking a model have a longer time limit of their own.
    type: float
    default: 30.0
notes:
  - The module talks to O(url) from the host it runs on. For a target of this collection that is the controller.
  - Redirects are not followed, and C(~/.netrc) is not read.
"""

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules for images in registries share."""

from __future__ import annotations


class ModuleDocFragment:
    """`polycloud.ollama.registry`."""

    DOCUMENTATION = r"""
options:
  image:
    description:
      - The image, as V(registry/repository:tag) or V(registry/repository@sha256:digest).
    type: str
    required: true
  username:
    description:
      - User of the registry. Without O(username), O(config) and O(login) the C(config.json) of docker is asked, in the folder that the
        environment variable E(DOCKER_CONFIG) names or in C(~/.docker). Its credential helpers are not started.
    type: str
  password:
    description:
      - Password or access token of O(username).
    type: str
  config:
    description:
      - File in the format of docker's C(config.json) that has the login.
    type: path
  login:
    description:
      - Log in with the credentials of a cloud, V(ecr) with those that boto3 finds, V(acr) with those that azure-identity finds.
    type: str
    choices: [ecr, acr]
  validate_certs:
    description:
      - Whether the registry must have a certificate that somebody vouches for. Where it is V(false), plain http is permitted too; on this
        machine it always is.
    type: bool
    default: true
  ca_path:
    description:
      - PEM file of the certificate authorities to trust instead of the system's.
    type: path
  timeout:
    description:
      - Longest silence of the registry, in seconds.
    type: int
    default: 30
"""

#!/usr/bin/python
# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: container_image_gate
short_description: Let an image through a gate, and keep the evidence
version_added: 0.1.0
description:
  - Judges a Dockerfile or an image with a tool that must be installed. V(lint) runs hadolint, V(scan) and V(sbom) run
    Trivy 0.70 or newer, V(signature) runs cosign 3 or newer.
  - What a gate found is written into a folder, and into the file C(gates.json) there, which tells of each gate its
    mode, its result (V(passed), V(failed), V(warned), V(skipped)), why, the version of the tool, and what the gate
    did not do.
  - A gate that cannot do its work, because its tool or the database of vulnerabilities is missing or too old, has
    failed.
  - Settings of the user that could make a tool overlook something (C(trivy.yaml), most C(TRIVY_*), C(.hadolint.yaml))
    are left out. What is to be overlooked is said in O(ignore).
author:
  - Polycloud contributors (@polycloud)
extends_documentation_fragment:
  - polycloud.ollama.attributes
  - polycloud.ollama.attributes.actiongroup_all
attributes:
  check_mode:
    support: none
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  gate:
    description:
      - What is judged. V(lint) is the Dockerfile by the rules of hadolint. V(scan) is the image, for vulnerabilities,
        secrets and misconfigurations. V(sbom) writes what is in the image, in CycloneDX, the models included.
        V(signature) signs the image in its registry, unless it has a signature by the key.
    type: str
    required: true
    choices: [lint, scan, sbom, signature]
  mode:
    description:
      - What a gate that was not passed means. With V(enforce) the task fails, with V(warn) it warns, with V(skip) the
        gate is only recorded as skipped.
    type: str
    choices: [enforce, warn, skip]
    default: enforce
  evidence:
    description:
      - Folder for what the gates leave. It must exist.
    type: path
    required: true
  build:
    description:
      - A name for what is judged, such as the hash of its inputs. Evidence of another build is removed from
        O(evidence).
    type: str
    required: true
  command:
    description:
      - The program. The default is its name, V(hadolint), V(trivy) or V(cosign).
    type: str
  dockerfile:
    description:
      - The Dockerfile, for O(gate=lint).
    type: path
  archive:
    description:
      - The image as C(docker save) writes it, for O(gate=scan) and O(gate=sbom). Else O(image) is read from its
        registry.
    type: path
  image:
    description:
      - The image in its registry, with its digest for O(gate=signature). Beside O(archive) it is the image's name in
        the SBOM.
      - The login is that of docker's C(config.json), which C(DOCKER_CONFIG) points to.
    type: str
  image_id:
    description:
      - The digest of the image's configuration, where known. A scan that this very image passed, by the same rules,
        the same Trivy and the same database, is not repeated.
    type: str
  severity:
    description:
      - The mildest finding that is not let through. The default is V(info) for O(gate=lint), which knows V(style) to
        V(error), and V(high) for O(gate=scan), which knows V(unknown) to V(critical).
    type: str
    choices: [style, info, warning, error, unknown, low, medium, high, critical]
  ignore:
    description:
      - Findings that O(gate=scan) lets through.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description:
          - What Trivy calls it, such as C(CVE-2026-0001), C(DS-0002), C(aws-access-key-id), or C(END-OF-LIFE) for an
            operating system that gets no fixes any more.
        type: str
        required: true
      reason:
        description:
          - Why it may pass.
        type: str
        required: true
      expires:
        description:
          - The day, such as C(2026-12-31), from which on it may not, in UTC. An entry whose day has come is refused.
        type: str
        required: true
      owner:
        description:
          - Who answers for it.
        type: str
      paths:
        description:
          - The files that it may be in. The default is all.
        type: list
        elements: str
  fixed_only:
    description:
      - Whether vulnerabilities that nobody has fixed yet are let through.
    type: bool
    default: false
  skip_folders:
    description:
      - Folders of the image that O(gate=scan) does not look into.
    type: list
    elements: str
    default: []
  update:
    description:
      - Whether Trivy may download the database of vulnerabilities and its rules. Where it is false, the database must
        be there.
    type: bool
    default: true
  cache:
    description:
      - Folder of Trivy's database. The default is Trivy's own.
    type: path
  database_days:
    description:
      - How many days old the database may be.
    type: int
    default: 7
  models:
    description:
      - The models in the image, for O(gate=sbom).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name as Ollama knows it.
        type: str
        required: true
      digest:
        description:
          - Digest of its manifest.
        type: str
        required: true
      registry:
        description:
          - URL of the registry that it is from, where that is not the one that the name says.
        type: str
      license:
        description:
          - Its licence, best as an SPDX identifier.
        type: str
  key:
    description:
      - The key that O(gate=signature) signs with, a file or what cosign takes for a key of a cloud, such as
        C(awskms://...). Without one the gate is skipped.
    type: str
  password:
    description:
      - Password of O(key). The default is C(COSIGN_PASSWORD) of the environment.
    type: str
  transparency_log:
    description:
      - Whether the signature is told to the public transparency log. It needs a network.
    type: bool
    default: false
  validate_certs:
    description:
      - Whether the registry must have a certificate that somebody vouches for.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Refuse an image with a vulnerability that is high or critical
  polycloud.ollama.container_image_gate:
    gate: scan
    archive: image.tar
    build: "{{ inputs }}"
    evidence: build/image
    ignore:
      - id: CVE-2026-0001
        reason: The function is not called.
        expires: "2026-12-31"
        owner: platform team

- name: Sign it
  polycloud.ollama.container_image_gate:
    gate: signature
    image: registry.example.org/team/ollama@sha256:2b5cc1ff6a5ac44b1d9b6d4b9c0d3f8e4a77f1f4c2c6d1c8cbb6b4f57f2c0e11
    key: cosign.key
    build: "{{ inputs }}"
    evidence: build/image
"""

RETURN = r"""
gate:
  description: What C(gates.json) tells of the gate.
  type: dict
  returned: always
  sample:
    mode: enforce
    result: passed
    why: ""
    tool: trivy
    tool_version: 0.74.0
    at: "2026-11-22T10:00:00Z"
    evidence: [scan.json, trivyignore.yaml]
    database_date: "2026-11-22T06:00:00Z"
"""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.polycloud.ollama.plugins.module_utils.errors import PolycloudError
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.options import ARGSPEC, REQUIRED_IF, judge
from ansible_collections.polycloud.ollama.plugins.module_utils.images.gates.verdict import FAILED, WARNED


def run(module):
    def start(command, environment, folder):
        return module.run_command(
            list(command),
            environ_update=dict(environment),
            cwd=str(folder),
            expand_user_and_vars=False,
            handle_exceptions=False,
        )

    with tempfile.TemporaryDirectory(prefix="polycloud-gate-") as scratch:
        return judge(module.params, Path(scratch), start, datetime.now(UTC))


def main():
    module = AnsibleModule(ARGSPEC, required_if=REQUIRED_IF)
    try:
        changed, found = run(module)
    except (PolycloudError, OSError) as error:
        module.fail_json(msg=str(error))
    told = f"Gate {module.params['gate']}: {found['why']}"
    if found["result"] == FAILED:
        module.fail_json(msg=told, gate=found)
    if found["result"] == WARNED:
        module.warn(told)
    module.exit_json(changed=changed, gate=found)


if __name__ == "__main__":
    main()

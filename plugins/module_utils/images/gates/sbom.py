# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `sbom`: what is in the image, in CycloneDX, with the models as components."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...models.names import ModelName, parse
from .tool import CannotJudge, Places, document
from .trivy import Source, Trivy, open_trivy
from .verdict import SBOM, SCAN, Verdict

Models = Sequence[Mapping[str, Any]]


def sbom(source: Source, name: str, models: Models, command: str, cache: str, places: Places) -> Verdict:
    """Write sbom.cdx.json: from the report of a scan where there is one, else from the image itself.

    name: the image, for a person. models: with name and digest, license and registry where known. Raises CannotJudge.
    """
    trivy = open_trivy(command, cache, places)
    draft = places.scratch / SBOM
    done = _ask(trivy, source, places.evidence / SCAN, draft)
    if done or not draft.is_file():
        raise CannotJudge(f"Trivy could not write the SBOM: {done or 'it wrote nothing'}")
    body = with_models(document(draft.read_text(encoding="utf-8"), "trivy"), name, models)
    (places.evidence / SBOM).write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    details = {"components": len(body["components"]), "models": len(models)}
    return Verdict(True, "", "trivy", trivy.version, (SBOM,), details=details)


def _ask(trivy: Trivy, source: Source, report: Path, draft: Path) -> str:
    """Let Trivy write `draft`; what it said where it failed."""
    if report.is_file():
        done = trivy.run("convert", "--format", "cyclonedx", "--output", str(draft), str(report))
    else:
        options = ("--format", "cyclonedx", "--output", str(draft), "--offline-scan", "--timeout", "1h")
        done = trivy.run("image", *options, *source.arguments)
    return done.said if done.code else ""


def with_models(body: Any, name: str, models: Models) -> dict[str, Any]:
    """A BOM of Trivy with the models, below the image. Vulnerabilities are left out: they are of a day.

    Raises CannotJudge.
    """
    try:
        image = body["metadata"]["component"]
        root = image["bom-ref"]
        components, dependencies = list(body["components"]), list(body["dependencies"])
    except (KeyError, TypeError):
        raise CannotJudge("Trivy wrote an SBOM that is none.") from None
    added = [component(model) for model in models]
    roots = [entry for entry in dependencies if entry.get("ref") == root] or [{"ref": root, "dependsOn": []}]
    below = sorted({*roots[0].get("dependsOn", []), *(model["bom-ref"] for model in added)})
    others = [entry for entry in dependencies if entry.get("ref") != root]
    leaves = [{"ref": model["bom-ref"], "dependsOn": []} for model in added]
    return {
        **{key: value for key, value in body.items() if key != "vulnerabilities"},
        "metadata": {**body["metadata"], "component": {**image, "name": name}},
        "components": [*components, *added],
        "dependencies": [*others, {"ref": root, "dependsOn": below}, *leaves],
    }


def component(model: Mapping[str, Any]) -> dict[str, Any]:
    """A model as a component: version is its tag, the hash that of its manifest."""
    digest = str(model["digest"]).removeprefix("sha256:")
    name = parse(str(model["name"]), allow_host=True)
    where = purl(name, digest, str(model.get("registry") or ""))
    known = model.get("license")
    return {
        "bom-ref": where,
        "type": "machine-learning-model",
        "group": name.namespace,
        "name": name.model,
        "version": name.tag,
        "purl": where,
        "hashes": [{"alg": "SHA-256", "content": digest}],
        **({"licenses": [{"license": {"name": str(known)}}]} if known else {}),
        "properties": [{"name": "polycloud:ollama:model", "value": name.short}],
    }


def purl(name: ModelName, digest: str, registry: str = "") -> str:
    """The package URL of a model: a registry keeps it as an OCI artifact. registry: URL of another than the name's."""
    host = registry.partition("://")[2].strip("/") or name.host
    place = quote(f"{host}/{name.repository}".lower(), safe="")
    return (
        f"pkg:oci/{quote(name.model.lower(), safe='')}@sha256%3A{digest}?repository_url={place}&tag={quote(name.tag)}"
    )

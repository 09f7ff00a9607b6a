# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate `signature`: cosign signs the digest that the registry has, and what it wrote is verified."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ...errors import Refused
from ..reference import read_reference
from .facts import INSTALL, MINIMUM_COSIGN
from .tool import CannotJudge, Places, Tool, document, find, numbers, version_in
from .verdict import KEY, SIGNATURE, Verdict

PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 - a name
NO_LOG = "The signature is in no transparency log: it proves who signed, not when."


@dataclass(frozen=True)
class Key:
    """A key: a file, or what cosign takes for one of a cloud. log: whether a transparency log is told."""

    place: str
    password: str = ""
    log: bool = False


@dataclass(frozen=True)
class Cosign:
    """cosign with a key, and how it reaches the registry."""

    tool: Tool
    version: str
    key: Key
    registry: tuple[str, ...]

    def public_key(self) -> str:
        """The public key, in PEM. Raises CannotJudge."""
        done = self.tool.run("public-key", "--key", self.key.place)
        if done.code:
            raise CannotJudge(
                f"cosign cannot use the key ({done.said}).",
                hint=f"Is the password right, or {PASSWORD} in the environment?",
            )
        return done.output

    def signatures(self, image: str, public: Path) -> list[object]:
        """What is signed of an image with this key; empty where nothing is."""
        logged = [] if self.key.log else ["--insecure-ignore-tlog=true"]
        done = self.tool.run("verify", "--key", str(public), *logged, *self.registry, image)
        found = [] if done.code else document(done.output, "cosign")
        return list(found) if isinstance(found, list) else []

    def sign(self, image: str) -> None:
        """Sign an image and push the signature. Raises CannotJudge."""
        unlogged = [] if self.key.log else ["--tlog-upload=false", "--use-signing-config=false"]
        done = self.tool.run("sign", "--yes", "--key", self.key.place, *unlogged, *self.registry, image)
        if done.code:
            raise CannotJudge(f"cosign could not sign {image}: {done.said}")


def sign(image: str, key: Key, command: str, places: Places, *, validate_certs: bool = True) -> Verdict:
    """Sign an image unless this key has; writes signature.json and cosign.pub. Raises CannotJudge, Refused."""
    if not read_reference(image).digest:
        raise Refused(f"{image} must be given with its digest: a tag may mean another image by the time it is signed.")
    cosign = open_cosign(command, key, places, validate_certs=validate_certs)
    public = places.evidence / KEY
    public.write_text(cosign.public_key(), encoding="utf-8")
    found = cosign.signatures(image, public)
    changed = not found
    if changed:
        cosign.sign(image)
        found = cosign.signatures(image, public)
    if not found:
        raise CannotJudge(f"cosign signed {image}, and does not find its signature in the registry.")
    (places.evidence / SIGNATURE).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    details = {"image": image, "limits": [] if key.log else [NO_LOG]}
    return Verdict(True, "", "cosign", cosign.version, (SIGNATURE, KEY), changed, details=details)


def open_cosign(command: str, key: Key, places: Places, *, validate_certs: bool) -> Cosign:
    """Find cosign. Raises CannotJudge."""
    # It asks at the terminal where the variable is not set at all.
    password = key.password or os.environ.get(PASSWORD, "")
    tool = Tool(find(command, "cosign"), places, {PASSWORD: password}, secrets=(password,))
    version = version_in(tool.run("version").output)
    if numbers(version) < MINIMUM_COSIGN:
        raise CannotJudge(f"cosign {version or 'of unknown version'} is too old.", hint=INSTALL["cosign"])
    plain = () if validate_certs else ("--allow-insecure-registry", "--allow-http-registry")
    return Cosign(tool, version, key, plain)

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict validators of names. Each returns what is wrong as one clause, or None. Pure.

Names reach shells, paths, URLs and templates of others, so only what is known to be harmless passes.
"""

from __future__ import annotations

import re

_PART = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?"
# Ollama's own rule, capitals included: types/model/name.go of 0.24.0, the same on its main branch of 2026-08-21.
_NAMESPACE, _MODEL_PART = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}"
_MODEL = re.compile(rf"(?:{_NAMESPACE}/)?{_MODEL_PART}(?::{_MODEL_PART})?", re.ASCII)
_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}", re.ASCII)
_HOST = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?"
_IMAGE = re.compile(
    rf"(?:{_HOST}/)?{_PART}(?:/{_PART}){{0,7}}(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?@sha256:[0-9a-f]{{64}}", re.ASCII
)
_DEPLOYMENT = re.compile(r"[a-z](?:[a-z0-9-]{0,22}[a-z0-9])", re.ASCII)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}", re.ASCII)


def deployment_name_problem(name: str) -> str | None:
    """Rule for a deployment's name, the strictest of all platforms' (a Container App revision adds a suffix to it)."""
    if not _DEPLOYMENT.fullmatch(name) or "--" in name:
        return "must be 2 to 24 lower-case letters, digits and single hyphens, starting with a letter"
    return None


def model_name_problem(name: str) -> str | None:
    """Rule for an Ollama model: C(name[:tag]) or C(namespace/name[:tag]), each part as Ollama takes it.

    A registry host is refused: it would make the server fetch from a machine of the name's choice.
    """
    dummy, colon, tag = name.rpartition(":")
    if name.count("/") > 1 or ("/" in name and ("." in name.split("/")[0] or ":" in name.split("/")[0])):
        return "must not name a registry host: write name[:tag] or namespace/name[:tag]"
    if not _MODEL.fullmatch(name):
        return (
            "must be name[:tag] or namespace/name[:tag], each part 1 to 80 ASCII letters, digits and . _ - that starts "
            "with a letter, a digit or _ (no dot in a namespace)"
        )
    if colon and (tag.lower() == "cloud" or tag.lower().endswith("-cloud")):
        return "is a cloud model: its prompts would leave your network"
    if colon and tag.lower() == "local":
        return "has the tag local, which Ollama reads as 'a model of this server' and not as a tag"
    return None


def digest_problem(digest: str) -> str | None:
    """Rule for a model digest."""
    return None if _DIGEST.fullmatch(digest) else "must be a sha256 digest: 64 lower-case hex digits"


def image_problem(image: str) -> str | None:
    """Rule for an image: pinned by digest, since a tag can move between plan and apply and on rollback."""
    if _IMAGE.fullmatch(image):
        return None
    if "@" not in image:
        return "must be pinned by digest: repository[:tag]@sha256:<64 hex digits>"
    return "is not an image reference of the form repository[:tag]@sha256:<64 hex digits>"


def variable_problem(name: str) -> str | None:
    """Rule for the name of an environment variable."""
    return None if _VARIABLE.fullmatch(name) else "must be upper-case letters, digits and underscores"

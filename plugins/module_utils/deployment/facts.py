# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dated facts about Ollama that rules and checks read."""

from __future__ import annotations

AS_OF = "2026-11-22"
# CVE-2026-7482 (heap read through /api/create, CVSS 9.1) was fixed in 0.17.1. Source: golang/vulndb, GO-2026 reports.
MINIMUM_OLLAMA_VERSION = "0.17.1"
# Variables that the translation sets, or that would open the server, move its data or print prompts.
# Source: ollama/ollama, envconfig/config.go of 2026-08-21.
RESERVED_VARIABLES = frozenset(
    {
        "HOME",
        "OLLAMA_HOST",
        "OLLAMA_MODELS",
        "OLLAMA_NO_CLOUD",
        "OLLAMA_KEEP_ALIVE",
        "OLLAMA_CONTEXT_LENGTH",
        "OLLAMA_NUM_PARALLEL",
        "OLLAMA_MAX_LOADED_MODELS",
        "OLLAMA_LOAD_TIMEOUT",
        "OLLAMA_FLASH_ATTENTION",
        "OLLAMA_KV_CACHE_TYPE",
        "OLLAMA_NOPRUNE",
        "OLLAMA_DEBUG_LOG_REQUESTS",
        "OLLAMA_REMOTES",
        "HTTP_PROXY",
        "http_proxy",
    }
)
RESERVED_PREFIX = "POLYCLOUD_"
# The login of the model fetcher, which may be secrets of a deployment that seeds its volume. A test holds them equal.
SEED_VARIABLES = ("POLYCLOUD_REGISTRY_USERNAME", "POLYCLOUD_REGISTRY_PASSWORD", "POLYCLOUD_REGISTRY_TOKEN")
# Words in a variable's name that say its value is a secret and belongs under `secrets`.
SECRET_WORDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL")

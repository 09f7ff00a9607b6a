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
# The sidecar's settings (roles/image/files/sidecar, settings.py), by who gives them. A test holds all three together
# equal to its own list. Set by the translation:
SIDECAR_OURS = frozenset(
    {
        *("SIDECAR_LISTEN", "SIDECAR_ADMIN_LISTEN", "SIDECAR_METRICS_LISTEN", "SIDECAR_UPSTREAM", "SIDECAR_MODELS"),
        *("SIDECAR_ALLOWED_MODELS", "SIDECAR_ALLOW_SHOW", "SIDECAR_REQUIRE_GPU", "SIDECAR_NUM_PARALLEL"),
        *("SIDECAR_MAX_QUEUED", "SIDECAR_QUEUE_SECONDS", "SIDECAR_DRAIN_SECONDS", "SIDECAR_KEYS"),
        *("SIDECAR_DRAIN_TOKEN_SHA256", "SIDECAR_EMF_NAMESPACE"),
    }
)
# By the user, under sidecar.environment, or under secrets:
SIDECAR_FREE = frozenset(
    {
        *("SIDECAR_CONFIG", "SIDECAR_WARM_UP", "SIDECAR_POLL_SECONDS", "SIDECAR_BODY_BYTES", "SIDECAR_CONNECT_SECONDS"),
        *("SIDECAR_SILENCE_SECONDS", "SIDECAR_CLIENT_SECONDS", "SIDECAR_MAX_CONNECTIONS", "SIDECAR_MAX_NUM_CTX"),
        *("SIDECAR_MAX_NUM_PREDICT", "SIDECAR_KEEP_OPTIONS", "SIDECAR_TRUSTED_PROXIES", "SIDECAR_USER_HEADER"),
        *("SIDECAR_ACCESS_LOG", "SIDECAR_EMF_SECONDS", "SIDECAR_OTLP_ENDPOINT", "SIDECAR_OTLP_SECONDS"),
        *("SIDECAR_CACHE_TTL_SECONDS", "SIDECAR_CACHE_BYTES", "SIDECAR_CACHE_MILLISECONDS"),
        *("SIDECAR_CACHE_RETRY_SECONDS", "SIDECAR_BODIES_BYTES"),
    }
)
# Under secrets only: they may hold a password.
SIDECAR_SECRET = frozenset({"SIDECAR_CACHE_URL", "SIDECAR_OTLP_HEADERS"})
SIDECAR_PREFIX = "SIDECAR_"
# Words in a variable's name that say its value is a secret and belongs under `secrets`.
SECRET_WORDS = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY", "CREDENTIAL")

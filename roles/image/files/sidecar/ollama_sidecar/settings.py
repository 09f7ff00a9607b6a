# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be set: by environment variables SIDECAR_*, and by one TOML file named by SIDECAR_CONFIG.

The environment wins. What is wrong is told before anything listens, each problem by the name of its setting.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from . import config_file, rules
from .config_file import PREFIX
from .requests import RELOADING

LISTENERS = ("listen", "admin_listen", "metrics_listen")
Names = Annotated[tuple[str, ...], NoDecode]


class Wrong(Exception):
    """The settings cannot be used; each problem is a line."""


class Key(BaseModel):
    """A key that clients send as `Authorization: Bearer` (or `x-api-key`). Only its hash is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name in metrics and logs.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the key, in hexadecimal digits.")
    models: tuple[str, ...] = Field(default=(), description="Models that it may ask; empty for all that are served.")
    requests_per_minute: int = Field(default=0, ge=0, description="0 for no limit.")
    concurrency: int = Field(default=0, ge=0, description="Requests at once, waiting ones included; 0 for no limit.")


class Settings(BaseSettings):
    """The settings of the sidecar."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, case_sensitive=False
    )

    listen: str = Field(default="0.0.0.0:8080", description="Where clients reach the inference routes.")
    admin_listen: str = Field(
        default="127.0.0.1:8081", description="Where Ollama's admin routes are; empty for nowhere."
    )
    metrics_listen: str = Field(default="0.0.0.0:9091", description="Where metrics and health are; empty for nowhere.")
    upstream: str = Field(
        default="http://127.0.0.1:11434", description="Ollama's address; only plain HTTP on loopback."
    )

    models: Names = Field(
        default=(), description="Models that are warmed at the start and must be in memory to be ready."
    )
    allowed_models: Names = Field(
        default=(), description="Models that may be asked; empty for those of models, or all."
    )
    allow_show: bool = Field(default=False, description="Let clients ask /api/show and /api/ps.")
    require_gpu: bool = Field(default=False, description="Ready only while the models are in the memory of a GPU.")
    warm_up: bool = Field(default=True, description="Load the models at the start.")
    poll_seconds: float = Field(default=2.0, gt=0, le=60, description="How often Ollama is asked what is in memory.")

    num_parallel: int = Field(
        default=1, ge=1, le=1024, description="Requests of a model at once (OLLAMA_NUM_PARALLEL)."
    )
    max_queued: int = Field(default=64, ge=0, le=100_000, description="Requests of a model that wait at most.")
    queue_seconds: float = Field(default=30.0, gt=0, le=3600, description="How long a request waits at most.")
    body_bytes: int = Field(default=33_554_432, ge=1024, le=2**31, description="Largest request.")
    bodies_bytes: int = Field(
        default=67_108_864, ge=1024, le=2**33, description="All requests in memory at once; one of them always fits."
    )
    connect_seconds: float = Field(default=5.0, gt=0, le=60, description="Time to connect to Ollama.")
    silence_seconds: float = Field(default=600.0, gt=0, le=86_400, description="How long Ollama may send nothing.")
    client_seconds: float = Field(
        default=60.0,
        gt=0,
        le=3600,
        description="How long a client may send or take nothing when it is its turn, and take to send its headers.",
    )
    max_connections: int = Field(
        default=4096, ge=1, le=1_000_000, description="Connections of clients at once; more are closed."
    )
    drain_seconds: float = Field(
        default=300.0, ge=0, le=86_400, description="How long running requests may take at the end."
    )

    max_num_ctx: int = Field(
        default=0, ge=0, description="Largest num_ctx that a client may ask; 0 removes the option."
    )
    max_num_predict: int = Field(default=0, ge=0, description="Most tokens of an answer; 0 for no limit.")
    keep_options: Names = Field(default=(), description="Options that are not removed although they reload the model.")

    keys: Annotated[tuple[Key, ...], NoDecode] = Field(
        default=(), description="Keys; in the environment as JSON. Without any, none is asked."
    )
    trusted_proxies: Names = Field(default=(), description="Networks whose user_header is believed (oauth2-proxy).")
    user_header: str = Field(
        default="X-Forwarded-User", description="Header with the user that a proxy has verified (oauth2-proxy's)."
    )
    drain_token_sha256: str = Field(
        default="", pattern=r"^([0-9a-f]{64})?$", description="SHA-256 of the token that opens POST /drain to clients."
    )

    access_log: bool = Field(default=True, description="A line of JSON on standard output for each request.")
    emf_namespace: str = Field(default="", description="CloudWatch namespace; metrics go to standard output for it.")
    emf_seconds: float = Field(default=60.0, ge=1, le=3600, description="How often.")
    otlp_endpoint: str = Field(
        default="", description="Where metrics are sent by OTLP over HTTP, such as http://127.0.0.1:4318."
    )
    otlp_seconds: float = Field(default=60.0, ge=1, le=3600, description="How often.")
    otlp_headers: SecretStr = Field(default=SecretStr(""), description="Headers for it, as name=value,name=value.")

    cache_url: SecretStr = Field(
        default=SecretStr(""), description="Redis, such as redis://127.0.0.1:6379/0; empty for none."
    )
    cache_ttl_seconds: int = Field(default=3600, ge=1, le=2_592_000, description="How long an answer is kept.")
    cache_bytes: int = Field(default=262_144, ge=1024, le=16_777_216, description="Largest answer that is kept.")
    cache_milliseconds: int = Field(default=50, ge=1, le=1000, description="How long Redis is waited for.")
    cache_retry_seconds: float = Field(
        default=5.0, gt=0, le=600, description="How long Redis is left alone after that."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given to the constructor is the file's, and the environment wins."""
        return (env_settings, init_settings)

    @field_validator("models", "allowed_models", "keep_options", "trusted_proxies", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        """A comma between words, as in one environment variable."""
        return tuple(filter(None, (word.strip() for word in value.split(",")))) if isinstance(value, str) else value

    @field_validator("keys", mode="before")
    @classmethod
    def _json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value.strip() else ()
        except (ValueError, RecursionError):
            raise ValueError("must be a list of objects in JSON") from None

    # A rule for two settings stands at the later one, so that each problem has a name and all are told at once.

    @field_validator(*LISTENERS)
    @classmethod
    def _address(cls, value: str, info: ValidationInfo) -> str:
        if value or info.field_name == "listen":
            rules.apart(value, _listeners(info))
        return value

    @field_validator("upstream")
    @classmethod
    def _upstream(cls, value: str, info: ValidationInfo) -> str:
        rules.upstream(value, _listeners(info))
        return value

    @field_validator("keep_options")
    @classmethod
    def _options(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rules.among(value, RELOADING)
        return value

    @field_validator("keys")
    @classmethod
    def _apart(cls, value: tuple[Key, ...]) -> tuple[Key, ...]:
        rules.keys(value)
        return value

    @field_validator("user_header")
    @classmethod
    def _header(cls, value: str) -> str:
        rules.header(value)
        return value

    @field_validator("emf_namespace")
    @classmethod
    def _namespace(cls, value: str) -> str:
        rules.namespace(value)
        return value

    @field_validator("otlp_endpoint")
    @classmethod
    def _endpoint(cls, value: str) -> str:
        if value:
            rules.endpoint(value)
        return value

    @field_validator("otlp_headers")
    @classmethod
    def _headers(cls, value: SecretStr) -> SecretStr:
        rules.headers(value.get_secret_value())
        return value

    @field_validator("cache_url")
    @classmethod
    def _redis(cls, value: SecretStr) -> SecretStr:
        if value:
            rules.redis(value.get_secret_value())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value


def _listeners(info: ValidationInfo) -> dict[str, str]:
    """The listeners that are known to be right."""
    return {name: info.data[name] for name in LISTENERS if name in info.data}


def read() -> Settings:
    """The settings of this process. Raises Wrong."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{PREFIX}CONFIG"}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    problems = [f"{name}: there is no such setting" for name in unknown]
    given: dict[str, Any] = {}
    try:
        given = config_file.members(os.environ)
    except config_file.Twice as error:
        problems.append(f"{PREFIX}CONFIG: {error}")
    except OSError as error:
        problems.append(f"{PREFIX}CONFIG: the file cannot be read: {error.strerror}")
    except ValueError as error:
        problems.append(f"{PREFIX}CONFIG: the file is not TOML: {_place(error)}")
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems += [_told(problem) for problem in error.errors(include_input=False, include_url=False)]
    if problems:
        raise Wrong("\n".join(problems))
    return settings


def _place(error: ValueError) -> str:
    """Where it is wrong; the rest of the message may quote the file."""
    found = re.search(r"at (line \d+, column \d+|end of document)", str(error))
    return found[1] if found else "it is not UTF-8"


def _told(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{PREFIX}{where.upper()}: {message}" if where else f"{PREFIX}{message}"

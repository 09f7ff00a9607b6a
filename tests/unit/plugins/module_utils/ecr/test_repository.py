# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository of ECR: what is asked of AWS, and which tags then move on the emulated cloud."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from ansible_collections.polycloud.ollama.plugins.module_utils.ecr.repository import OPTIONS, body
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY
from tests.helpers.modules import run_module
from tests.sandbox.fixtures import clouds, sandbox  # noqa: F401
from tests.sandbox.launcher import Sandbox

NAME, REGION = "team/ollama", "us-east-1"
IMAGE_TYPE = "application/vnd.oci.image.manifest.v1+json"
FEW = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5}
LIFECYCLE = json.dumps({"rules": [{"rulePriority": 1, "selection": FEW, "action": {"type": "expire"}}]})
PARAMS: dict[str, Any] = {name: spec.get("default") for name, spec in OPTIONS.items()}


def repository(check: bool = False, **changes: Any) -> dict[str, Any]:
    return run_module("ecr_repository", {"name": NAME, "region": REGION, **changes}, check=check, diff=True)


def settings() -> dict[str, Any]:
    """What ECR keeps of the repository."""
    answer = boto3.client("ecr", REGION).describe_repositories(repositoryNames=[NAME])
    return dict(answer["repositories"][0])


def put(tag: str, image: str) -> None:
    """Let a tag mean an image, as a push does. moto tells images apart by their layers."""
    manifest = json.dumps({"schemaVersion": 2, "mediaType": IMAGE_TYPE, "layers": [{"digest": image, "size": 1}]})
    boto3.client("ecr", REGION).put_image(
        repositoryName=NAME, imageManifest=manifest, imageManifestMediaType=IMAGE_TYPE, imageTag=tag
    )


@pytest.mark.parametrize("operation", ["CreateRepository", "PutImageTagMutability"])
@pytest.mark.parametrize("mutable", [["stable", "stable-previous"], []])
def test_the_service_model_of_aws_takes_the_body(operation: str, mutable: list[str]) -> None:
    model = botocore.session.get_session().get_service_model("ecr").operation_model(operation)
    sent = {"repositoryName": NAME, **body({**PARAMS, "mutable_tags": mutable})}
    assert ParamValidator().validate(sent, model.input_shape).generate_report() == ""


def test_only_the_tags_of_the_promotion_move(clouds: Sandbox) -> None:  # noqa: F811
    made = repository()
    assert made["repository"]["tag_mutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert made["repository"]["uri"].endswith(f"/{NAME}")
    for tag in ("stable", "stable-previous", "0.24.0-tiny-0123456789ab"):
        put(tag, f"first {tag}")
    put("stable", "second")
    put("stable-previous", "second previous")
    # On AWS it is called ImageTagAlreadyExistsException.
    with pytest.raises(ClientError, match="AlreadyExists"):
        put("0.24.0-tiny-0123456789ab", "second tiny")


def test_check_mode_says_what_is_then_done_and_a_second_run_does_nothing(clouds: Sandbox) -> None:  # noqa: F811
    planned = repository(check=True, scan_on_push=True, tags={"team": "ai"})
    assert planned["repository"]["arn"] == KNOWN_AFTER_APPLY
    with pytest.raises(ClientError, match="RepositoryNotFound"):
        settings()
    made = repository(scan_on_push=True, tags={"team": "ai"})
    assert (planned["changed"], planned["plan"], planned["diff"]) == (made["changed"], made["plan"], made["diff"])
    assert settings()["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["repository"]["tags"] == {"team": "ai"}
    again = repository(scan_on_push=True, tags={"team": "ai"})
    assert (again["changed"], again["repository"]) == (False, made["repository"])


def test_a_repository_of_the_user_keeps_all_but_what_is_asked_for(clouds: Sandbox) -> None:  # noqa: F811
    client = boto3.client("ecr", REGION)
    client.create_repository(
        repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True}, tags=[{"Key": "owner", "Value": "ada"}]
    )
    client.put_lifecycle_policy(repositoryName=NAME, lifecyclePolicyText=LIFECYCLE)
    assert "imageTagMutability" in repository()["diff"]["prepared"]
    assert settings()["imageTagMutability"] == "IMMUTABLE_WITH_EXCLUSION"
    assert settings()["imageScanningConfiguration"] == {"scanOnPush": True}
    assert client.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"] == LIFECYCLE
    changed = repository(scan_on_push=False, tags={"team": "ai"})
    assert changed["repository"]["tags"] == {"owner": "ada", "team": "ai"}
    assert settings()["imageScanningConfiguration"] == {"scanOnPush": False}
    assert not repository(scan_on_push=False, tags={"team": "ai"})["changed"]


def test_other_exclusions_are_replaced_and_none_makes_every_tag_immutable(clouds: Sandbox) -> None:  # noqa: F811
    repository(mutable_tags=["latest", "dev-*"])
    repository()
    kept = [entry["filter"] for entry in settings()["imageTagMutabilityExclusionFilters"]]
    assert sorted(kept) == ["stable", "stable-previous"]
    assert repository(mutable_tags=[])["repository"]["mutable_tags"] == []
    assert settings()["imageTagMutability"] == "IMMUTABLE"
    assert not repository(mutable_tags=[])["changed"]


def test_a_lost_answer_is_no_error(clouds: Sandbox) -> None:  # noqa: F811
    clouds.client.arm("CreateRepository", "reset_after")
    assert repository()["changed"]
    assert not repository()["changed"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Team/ollama"}, "no name of an ECR repository"),
        ({"name": "../x"}, "no name of an ECR repository"),
        ({"mutable_tags": ["a b"]}, "'a b' is no tag"),
        ({"mutable_tags": list("abcdef")}, "5 at most"),
    ],
)
def test_what_ecr_would_not_take_is_refused_before_a_call(
    clouds: Sandbox,  # noqa: F811
    changes: dict[str, Any],
    told: str,
) -> None:
    refused = repository(**changes)
    assert told in refused["msg"]
    assert clouds.client.requests() == []

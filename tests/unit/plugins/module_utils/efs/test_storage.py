# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EFS storage: what a description means, and the module on the emulated cloud."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from ansible_collections.polycloud.ollama.plugins.module_utils.compare import merge
from ansible_collections.polycloud.ollama.plugins.module_utils.efs import translate
from ansible_collections.polycloud.ollama.plugins.module_utils.unknown import KNOWN_AFTER_APPLY, symbolic
from tests.helpers.modules import run_module
from tests.sandbox.fixtures import clouds, sandbox  # noqa: F401
from tests.sandbox.launcher import Sandbox

PARAMS: dict[str, Any] = {
    **{name: spec.get("default") for name, spec in translate.STORAGE_OPTIONS.items()},
    "name": "models",
    "state": "present",
    "subnets": ["subnet-0123456789abcdef0"],
    "security_groups": ["sg-0123456789abcdef0"],
    "access_point": {name: spec["default"] for name, spec in translate.ACCESS_POINT_OPTIONS.items()},
}


def test_all_files_belong_to_the_user_that_runs_ollama() -> None:
    body = translate.bundle(PARAMS)[-1].body
    assert body["PosixUser"] == {"Uid": 10001, "Gid": 10001}
    owner = {"OwnerUid": 10001, "OwnerGid": 10001, "Permissions": "0755"}
    assert body["RootDirectory"] == {"Path": "/models", "CreationInfo": owner}


def test_data_is_encrypted_and_throughput_elastic_unless_said_otherwise() -> None:
    body = translate.bundle(PARAMS)[0].body
    assert (body["Encrypted"], body["ThroughputMode"]) == (True, "elastic")


@pytest.mark.parametrize(
    ("key", "operation", "drop"),
    [
        ("file_system", "CreateFileSystem", ("LifecyclePolicies",)),
        ("mount_target_subnet-0123456789abcdef0", "CreateMountTarget", ()),
        ("access_point", "CreateAccessPoint", ()),
    ],
)
def test_the_service_model_of_aws_takes_the_body(key: str, operation: str, drop: tuple[str, ...]) -> None:
    model = botocore.session.get_session().get_service_model("efs").operation_model(operation)
    wanted = next(item for item in translate.bundle(PARAMS) if item.key == key)
    body = {name: value for name, value in symbolic(wanted.body).items() if name not in drop}
    # The client adds the token of a call by itself.
    tokens = {name: "t" for name in model.input_shape.required_members if name == "ClientToken"}
    assert ParamValidator().validate({**body, **tokens}, model.input_shape).generate_report() == ""


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"subnets": ["private"]}, "subnets 'private' must be a subnet id"),
        ({"throughput_mode": "provisioned"}, "provisioned_throughput_mibps is needed"),
        ({"provisioned_throughput_mibps": 100.0}, "provisioned_throughput_mibps is needed"),
        ({"performance_mode": "maxIO"}, "performance_mode maxIO is not available"),
        ({"encrypted": False, "kms_key_id": "k"}, "kms_key_id needs encrypted"),
        ({"access_point": {"path": "/a/../b"}}, "access_point.path '/a/../b'"),
        ({"access_point": {"permissions": "rwx"}}, "access_point.permissions 'rwx'"),
        ({"access_point": {"uid": -1}}, "access_point.uid -1"),
        ({"name": "a b"}, "name 'a b' must be"),
    ],
)
def test_a_wrong_storage_is_refused(changes: dict[str, Any], rule: str) -> None:
    assert any(rule in problem for problem in translate.problems(merge(PARAMS, changes)))


def storage(cloud: Sandbox, check: bool = False, **changes: Any) -> dict[str, Any]:
    seeds = cloud.seeds["aws"]["us-east-1"]
    network = {"subnets": seeds["subnet_ids"], "security_groups": [seeds["security_group_id"]]}
    return run_module("efs_storage", {"name": "models", "region": "us-east-1", **network, **changes}, check=check)


def test_check_mode_on_an_empty_account_hands_on_ids_that_are_not_known_yet(clouds: Sandbox) -> None:  # noqa: F811
    seen = storage(clouds, check=True)
    assert seen["changed"]
    assert seen["efs"] == {"file_system_id": KNOWN_AFTER_APPLY, "access_point_id": KNOWN_AFTER_APPLY}
    assert storage(clouds, check=True)["plan"] == seen["plan"]


def test_a_storage_is_made_kept_changed_and_deleted(clouds: Sandbox) -> None:  # noqa: F811
    made = storage(clouds)
    assert made["efs"]["file_system_id"].startswith("fs-")
    assert len(made["mount_targets"]) == 2
    assert storage(clouds)["changed"] is False

    changes = {"transition_to_ia": "AFTER_30_DAYS", "backup": True, "throughput_mode": "bursting"}
    changed = storage(clouds, **changes)
    assert [change["key"] for change in changed["plan"]["changes"] if change["action"] == "update"] == ["file_system"]
    assert storage(clouds, **changes)["changed"] is False

    refused = storage(clouds, state="absent")
    assert "would be deleted with all models in it. Set delete_data: true" in refused["msg"]
    assert storage(clouds, **changes)["efs"] == made["efs"]

    assert storage(clouds, state="absent", delete_data=True)["changed"]
    assert storage(clouds, state="absent")["changed"] is False


def test_another_user_of_the_files_needs_a_word(clouds: Sandbox) -> None:  # noqa: F811
    made = storage(clouds)
    refused = storage(clouds, access_point={"uid": 2000})
    assert "PosixUser.Uid" in refused["msg"]
    assert "recreate: true" in refused["msg"]
    replaced = storage(clouds, access_point={"uid": 2000}, recreate=True)
    assert replaced["access_point_id"] != made["access_point_id"]
    assert replaced["file_system_id"] == made["file_system_id"]


def test_a_lost_answer_makes_no_second_file_system(clouds: Sandbox) -> None:  # noqa: F811
    clouds.client.arm("CreateFileSystem", "reset_after")
    made = storage(clouds)
    assert made["changed"]
    assert storage(clouds)["changed"] is False

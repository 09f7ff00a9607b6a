# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names inside of moto that the sandbox leans on. Where one is gone after an upgrade, this says which."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import moto
import pytest

ROOT = Path(__file__).resolve().parents[4]

# Module and attribute path, and the parameters that are passed by name.
NAMES = [
    ("moto.applicationautoscaling.models", "ApplicationAutoscalingBackend._ecs_service_exists_for_target", "r_id"),
    ("moto.applicationautoscaling.responses", "ApplicationAutoScalingResponse.applicationautoscaling_backend", ""),
    ("moto.applicationautoscaling.responses", "ApplicationAutoScalingResponse.register_scalable_target", ""),
    ("moto.applicationautoscaling.exceptions", "AWSValidationException", ""),
    ("moto.autoscaling.models", "AutoScalingBackend.create_auto_scaling_group", "launch_template vpc_zone_identifier"),
    ("moto.backends", "list_of_moto_modules", ""),
    ("moto.cloudwatch.models", "cloudwatch_backends", ""),
    ("moto.core.base_backend", "BackendDict.reset", ""),
    ("moto.core.exceptions", "JsonRESTError", ""),
    ("moto.core.model_instances", "reset_model_data", ""),
    ("moto.core.responses", "BaseResponse._get_param", "param_name"),
    ("moto.core.responses", "BaseResponse._get_int_param", "param_name"),
    ("moto.ec2.exceptions", "EC2ClientError", ""),
    ("moto.ec2.models", "EC2Backend.create_vpc", "cidr_block"),
    ("moto.ec2.models", "EC2Backend.create_subnet", "vpc_id cidr_block availability_zone"),
    ("moto.ec2.models", "EC2Backend.create_security_group", "name description vpc_id"),
    ("moto.ec2.models", "EC2Backend.create_launch_template", "name description template_data tag_spec"),
    ("moto.ec2.models", "EC2Backend.get_subnet", "subnet_id"),
    ("moto.ec2.models", "EC2Backend.get_security_group_from_id", "group_id"),
    ("moto.ec2.models", "EC2Backend.get_security_group_from_name", "name vpc_id"),
    ("moto.efs.exceptions", "BadRequest", "msg"),
    ("moto.efs.models", "AccessPoint.info_json", ""),
    ("moto.efs.models", "FileSystem.info_json", ""),
    ("moto.efs.models", "MountTarget.info_json", ""),
    ("moto.efs.models", "EFSBackend.create_file_system", "creation_token throughput_mode kms_key_id encrypted"),
    ("moto.efs.models", "EFSBackend.create_mount_target", "file_system_id subnet_id ip_address security_groups"),
    ("moto.efs.models", "EFSBackend.create_access_point", "client_token tags file_system_id posix_user root_directory"),
    ("moto.efs.models", "EFSBackend.delete_file_system", "file_system_id"),
    ("moto.efs.models", "EFSBackend.delete_access_point", "access_point_id"),
    ("moto.efs.responses", "EFSResponse.efs_backend", ""),
    ("moto.efs.responses", "EFSResponse.describe_backup_policy", ""),
    ("moto.efs.urls", "response.dispatch", ""),
    ("moto.efs.urls", "url_paths", ""),
    ("moto.iam.models", "IAMBackend.create_role", "role_name assume_role_policy_document path"),
    ("moto.moto_server.werkzeug_app", "DomainDispatcherApplication.get_application", "environ"),
    ("moto.moto_server.werkzeug_app", "create_backend_app", "service"),
    ("moto.secretsmanager.models", "SecretsManagerBackend.get_secret_value", "secret_id version_id version_stage"),
    ("moto.secretsmanager.models", "SecretsManagerBackend.create_secret", "name secret_string replica_regions"),
    ("moto.ssm.models", "SimpleSystemManagerBackend.get_parameter", "name"),
    ("moto.ssm.models", "Parameter.decrypt", "value"),
]


@pytest.mark.parametrize(("module", "path", "parameters"), NAMES, ids=[f"{module}.{path}" for module, path, _ in NAMES])
def test_a_name_inside_of_moto_is_where_the_sandbox_expects_it(module: str, path: str, parameters: str) -> None:
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    # A replaced method hides its own parameters; the sandbox's replacement takes the same ones.
    if parameters and inspect.getmodule(found) is importlib.import_module(module):
        assert set(parameters.split()) <= set(inspect.signature(found).parameters)


def test_moto_is_pinned_to_the_version_that_was_read() -> None:
    locked = "\n".join(path.read_text() for path in (ROOT / "requirements").glob("*.txt"))
    pins = set(re.findall(r"^moto(?:\[[^]]*\])?==([\w.]+)", locked, re.MULTILINE))
    assert pins == {moto.__version__} == {"5.2.5"}


def test_attributes_that_moto_sets_on_its_objects_are_there() -> None:
    from moto.applicationautoscaling.models import FakeScalableTarget
    from moto.efs.models import EFSBackend

    assert "self.targets" in inspect.getsource(
        importlib.import_module("moto.applicationautoscaling.models").ApplicationAutoscalingBackend.__init__
    )
    assert ".arn" in inspect.getsource(FakeScalableTarget)
    source = inspect.getsource(EFSBackend.__init__)
    assert "self.file_systems_by_id" in source
    assert "self.access_points" in source

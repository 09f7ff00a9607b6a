# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of an EFS storage and the resources they mean. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..release import SHARED
from ..resource import Wanted
from ..unknown import Ref, is_unknown

Spec = dict[str, dict[str, Any]]

FILE_SYSTEM, ACCESS_POINT = "file_system", "access_point"
TO_INFREQUENT = ["AFTER_1_DAY", "AFTER_7_DAYS", "AFTER_14_DAYS", "AFTER_30_DAYS", "AFTER_60_DAYS", "AFTER_90_DAYS"]
PERMISSIONS = re.compile(r"[0-7]{3,4}")
SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
PATH = re.compile(r"/|(?:/[A-Za-z0-9._-]{1,100}){1,4}")

ACCESS_POINT_OPTIONS: Spec = {
    "path": {"type": "str", "default": "/models"},
    "uid": {"type": "int", "default": 10001},
    "gid": {"type": "int", "default": 10001},
    "permissions": {"type": "str", "default": "0755"},
}
STORAGE_OPTIONS: Spec = {
    "name": {"type": "str", "required": True},
    "subnets": {"type": "list", "elements": "str", "default": []},
    "security_groups": {"type": "list", "elements": "str", "default": []},
    "access_point": {"type": "dict", "options": ACCESS_POINT_OPTIONS, "apply_defaults": True},
    "encrypted": {"type": "bool", "default": True},
    "kms_key_id": {"type": "str"},
    "performance_mode": {"type": "str", "choices": ["generalPurpose", "maxIO"], "default": "generalPurpose"},
    "throughput_mode": {"type": "str", "choices": ["elastic", "bursting", "provisioned"], "default": "elastic"},
    "provisioned_throughput_mibps": {"type": "float"},
    "transition_to_ia": {"type": "str", "choices": TO_INFREQUENT},
    "transition_back_on_access": {"type": "bool", "default": True},
    "backup": {"type": "bool", "default": False},
    "tags": {"type": "dict", "default": {}},
    "delete_data": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 600},
}


def problems(params: Mapping[str, Any]) -> list[str]:
    """Every broken rule: option, value, rule."""
    found = []
    if not NAME.fullmatch(params["name"]):
        found.append(
            f"name {params['name']!r} must be 1 to 64 letters, digits and . _ -, starting with a letter or digit"
        )
    if params["state"] == "absent":
        return found
    found += [
        f"subnets {subnet!r} must be a subnet id such as subnet-0123456789abcdef0"
        for subnet in params["subnets"]
        if not is_unknown(subnet) and not SUBNET.fullmatch(subnet)
    ]
    if len(set(params["subnets"])) != len(params["subnets"]):
        found.append("subnets names a subnet twice")
    if len(params["security_groups"]) > 5:
        found.append(f"security_groups has {len(params['security_groups'])} entries, at most 5 are allowed")
    provisioned = params["throughput_mode"] == "provisioned"
    if provisioned != (params["provisioned_throughput_mibps"] is not None):
        found.append("provisioned_throughput_mibps is needed with throughput_mode provisioned, and only there")
    if params["throughput_mode"] == "elastic" and params["performance_mode"] == "maxIO":
        found.append("performance_mode maxIO is not available with throughput_mode elastic")
    if params["kms_key_id"] is not None and not params["encrypted"]:
        found.append("kms_key_id needs encrypted: true")
    return found + _access_point_problems(params["access_point"])


def _access_point_problems(point: Mapping[str, Any]) -> list[str]:
    found = []
    if not PATH.fullmatch(point["path"]) or ".." in point["path"]:
        found.append(f"access_point.path {point['path']!r} must be an absolute path of at most four plain names")
    if not PERMISSIONS.fullmatch(point["permissions"]):
        found.append(
            f"access_point.permissions {point['permissions']!r} must be three or four octal digits such as 0755"
        )
    return found + [
        f"access_point.{key} {point[key]} must be between 0 and 4294967295"
        for key in ("uid", "gid")
        if not 0 <= point[key] <= 4294967295
    ]


def mount_target_key(subnet: str) -> str:
    """The bundle key of the mount target in a subnet."""
    return f"mount_target_{subnet}"


def bundle(params: Mapping[str, Any]) -> list[Wanted]:
    """File system, one mount target a subnet, access point."""
    name = params["name"]
    tags = {**{key: str(value) for key, value in params["tags"].items()}, "Name": name, SHARED: "true"}
    file_system = Wanted(key=FILE_SYSTEM, name=name, body=_file_system(params), tags=tags)
    targets = [_mount_target(subnet, params["security_groups"]) for subnet in params["subnets"]]
    point = Wanted(key=ACCESS_POINT, name=name, body=_access_point(params["access_point"]), tags=tags)
    return [file_system, *targets, point]


def _file_system(params: Mapping[str, Any]) -> dict[str, Any]:
    """CreateFileSystem, with the lifecycle and backup policies that are calls of their own."""
    body: dict[str, Any] = {
        "CreationToken": params["name"],
        "PerformanceMode": params["performance_mode"],
        "ThroughputMode": params["throughput_mode"],
        "Encrypted": params["encrypted"],
        "Backup": params["backup"],
        "LifecyclePolicies": _lifecycle(params),
    }
    if params["kms_key_id"] is not None:
        body["KmsKeyId"] = params["kms_key_id"]
    if params["provisioned_throughput_mibps"] is not None:
        body["ProvisionedThroughputInMibps"] = params["provisioned_throughput_mibps"]
    return body


def _lifecycle(params: Mapping[str, Any]) -> list[dict[str, str]]:
    """PutLifecycleConfiguration: one transition an entry, as the API wants them."""
    if params["transition_to_ia"] is None:
        return []
    policies = [{"TransitionToIA": params["transition_to_ia"]}]
    if params["transition_back_on_access"]:
        policies.append({"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"})
    return policies


def _mount_target(subnet: str, security_groups: Sequence[str]) -> Wanted:
    body: dict[str, Any] = {"FileSystemId": Ref(FILE_SYSTEM), "SubnetId": subnet}
    if security_groups:
        body["SecurityGroups"] = sorted(security_groups)
    return Wanted(key=mount_target_key(subnet), name=subnet, body=body)


def _access_point(point: Mapping[str, Any]) -> dict[str, Any]:
    """CreateAccessPoint: every file is the user's, and the directory is made on first use."""
    owner = {"OwnerUid": point["uid"], "OwnerGid": point["gid"], "Permissions": point["permissions"]}
    root: dict[str, Any] = {"Path": point["path"]}
    if point["path"] != "/":
        root["CreationInfo"] = owner
    return {
        "FileSystemId": Ref(FILE_SYSTEM),
        "PosixUser": {"Uid": point["uid"], "Gid": point["gid"]},
        "RootDirectory": root,
    }

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What moto's EFS lacks: life cycle, idempotency tokens, checks, UpdateFileSystem and PutBackupPolicy."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.efs.exceptions import AccessPointNotFound, BadRequest, FileSystemNotFound
from moto.efs.models import AccessPoint, EFSBackend, FileSystem, MountTarget
from moto.efs.responses import EFSResponse
from moto.efs.urls import response, url_paths

# How long a new resource stays in state ``creating``, in seconds.
CREATING = 0.3
ACCESS_POINTS_LIMIT = 10000
THROUGHPUT_MODES = ("bursting", "provisioned", "elastic")
PERMISSIONS = re.compile(r"[0-7]{3,4}")
JSON = {"Content-Type": "application/json"}
# The older tagging actions, which still exist in the cloud and which some clients use.
OLD_TAG_PATHS = ("tags", "create-tags", "delete-tags")


class EfsError(JsonRESTError):
    """An error with a status and, where EFS gives one, the id of the resource that exists already."""

    def __init__(self, status: int, code: str, message: str, **extra: str) -> None:
        super().__init__(code, message)
        self.code = status
        self.description = json.dumps({"ErrorCode": code, "Message": message, "__type": code, **extra})


def install() -> None:
    """Replace and add the methods once."""
    if getattr(EFSBackend, "of_sandbox", False):
        return
    EFSBackend.of_sandbox = True  # type: ignore[attr-defined]
    for kind in (AccessPoint, FileSystem, MountTarget):
        _give_life_cycle(kind)
    EFSBackend.create_file_system = _create_file_system(EFSBackend.create_file_system)  # type: ignore[method-assign]
    EFSBackend.create_mount_target = _create_mount_target(EFSBackend.create_mount_target)  # type: ignore[method-assign]
    EFSBackend.create_access_point = _create_access_point(EFSBackend.create_access_point)  # type: ignore[method-assign]
    EFSBackend.delete_file_system = _delete_file_system(EFSBackend.delete_file_system)  # type: ignore[method-assign]
    EFSBackend.delete_access_point = _delete_access_point(EFSBackend.delete_access_point)  # type: ignore[method-assign]
    EFSResponse.describe_access_points = _describe_access_points  # type: ignore[method-assign]
    EFSResponse.update_file_system = _update_file_system  # type: ignore[attr-defined]
    EFSResponse.put_backup_policy = _put_backup_policy  # type: ignore[attr-defined]
    EFSResponse.delete_file_system_policy = _delete_policy  # type: ignore[attr-defined]
    EFSResponse.describe_tags = _describe_tags  # type: ignore[attr-defined]
    EFSResponse.create_tags = _create_tags  # type: ignore[attr-defined]
    EFSResponse.delete_tags = _delete_tags  # type: ignore[attr-defined]
    for path in OLD_TAG_PATHS:
        url_paths[f"/2015-02-01/{path}/<file_system_id>"] = response.dispatch
    for name in ("describe_backup_policy", "describe_file_system_policy", "put_file_system_policy"):
        setattr(EFSResponse, name, _needs_file_system(getattr(EFSResponse, name)))
    for name in ("list_tags_for_resource", "tag_resource", "untag_resource"):
        setattr(EFSResponse, name, _needs_resource(getattr(EFSResponse, name)))


def _give_life_cycle(kind: Any) -> None:
    """Let a class report ``creating`` for a moment after its creation."""
    stock_init, stock_info = kind.__init__, kind.info_json

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        stock_init(self, *args, **kwargs)
        self._born = time.monotonic()

    def info_json(self: Any) -> dict[str, Any]:
        return {**stock_info(self), "LifeCycleState": _state(self)}

    kind.__init__, kind.info_json = begin, info_json


def _state(resource: Any) -> str:
    return "creating" if time.monotonic() - resource._born < CREATING else "available"


def _file_system(backend: EFSBackend, file_system_id: str, available: bool = False) -> FileSystem:
    """Find a file system by id or ARN; raises FileSystemNotFound, or IncorrectFileSystemLifeCycleState."""
    found = backend.file_systems_by_id.get(file_system_id.split("/")[-1])
    if found is None:
        raise FileSystemNotFound(file_system_id)
    if available and _state(found) != "available":
        raise EfsError(409, "IncorrectFileSystemLifeCycleState", f"File system '{file_system_id}' is not available.")
    return found


def _check_throughput(mode: str | None, provisioned: float | None, performance: str | None) -> None:
    if mode is not None and mode not in THROUGHPUT_MODES:
        raise BadRequest(f"ThroughputMode must be one of {', '.join(THROUGHPUT_MODES)}.")
    if mode == "provisioned" and not provisioned:
        raise BadRequest("ProvisionedThroughputInMibps is required for the provisioned throughput mode.")
    if mode != "provisioned" and provisioned:
        raise BadRequest("ProvisionedThroughputInMibps is only allowed in the provisioned throughput mode.")
    if mode == "elastic" and performance == "maxIO":
        raise BadRequest("Elastic throughput is not supported with the maxIO performance mode.")


def _create_file_system(stock: Any) -> Any:
    def create_file_system(self: EFSBackend, creation_token: str, **wanted: Any) -> FileSystem:
        for known in self.file_systems_by_id.values():
            if known.creation_token == creation_token:
                message = f"File system '{known.file_system_id}' already exists with creation token '{creation_token}'"
                raise EfsError(409, "FileSystemAlreadyExists", message, FileSystemId=known.file_system_id)
        _check_throughput(
            wanted["throughput_mode"], wanted["provisioned_throughput_in_mibps"], wanted["performance_mode"]
        )
        if wanted["encrypted"] and not wanted["kms_key_id"]:
            # The AWS managed key of the account.
            key = "00000000-0000-4000-8000-000000000efs"
            wanted["kms_key_id"] = f"arn:aws:kms:{self.region_name}:{self.account_id}:key/{key}"
        created: FileSystem = stock(self, creation_token, **wanted)
        return created

    return create_file_system


def _create_mount_target(stock: Any) -> Any:
    def create_mount_target(
        self: EFSBackend,
        file_system_id: str,
        subnet_id: str,
        ip_address: str | None = None,
        security_groups: list[str] | None = None,
    ) -> MountTarget:
        _file_system(self, file_system_id, available=True)
        if not security_groups:
            # EFS takes the default security group of the subnet's VPC.
            vpc = next((each.vpc_id for each in self.ec2_backend.describe_subnets() if each.id == subnet_id), None)
            default = self.ec2_backend.get_security_group_from_name("default", vpc) if vpc else None
            security_groups = [default.id] if default is not None else None
        created: MountTarget = stock(self, file_system_id, subnet_id, ip_address, security_groups)
        return created

    return create_mount_target


def _create_access_point(stock: Any) -> Any:
    def create_access_point(
        self: EFSBackend,
        client_token: str,
        tags: list[dict[str, str]],
        file_system_id: str,
        posix_user: dict[str, Any],
        root_directory: dict[str, Any],
    ) -> AccessPoint:
        found = _file_system(self, file_system_id, available=True)
        for known in self.access_points.values():
            if known.client_token == client_token:
                message = f"Access point '{known.access_point_id}' already exists with client token '{client_token}'"
                raise EfsError(409, "AccessPointAlreadyExists", message, AccessPointId=known.access_point_id)
        _check_access_point(posix_user or {}, root_directory or {})
        created: AccessPoint = stock(self, client_token, tags, found.file_system_id, posix_user, root_directory)
        return created

    return create_access_point


def _check_access_point(posix_user: dict[str, Any], root: dict[str, Any]) -> None:
    ids = [posix_user[key] for key in ("Uid", "Gid") if key in posix_user]
    if posix_user and len(ids) != 2:
        raise BadRequest("PosixUser needs Uid and Gid.")
    creation = root.get("CreationInfo")
    if creation is not None:
        if not {"OwnerUid", "OwnerGid", "Permissions"} <= set(creation):
            raise BadRequest("CreationInfo needs OwnerUid, OwnerGid and Permissions.")
        if not PERMISSIONS.fullmatch(creation["Permissions"]):
            raise BadRequest("Permissions must be three or four octal digits.")
        ids += [creation["OwnerUid"], creation["OwnerGid"]]
    if any(not isinstance(each, int) or not 0 <= each <= 4294967295 for each in ids):
        raise BadRequest("A user or group id must be between 0 and 4294967295.")
    path = root.get("Path", "/")
    if not re.fullmatch(r"/|(/[^$#<>;`|&?{}^*\n/]+){1,4}", path) or len(path) > 100:
        raise BadRequest("Path must be '/' or up to four directories, with at most 100 characters.")


def _delete_file_system(stock: Any) -> Any:
    def delete_file_system(self: EFSBackend, file_system_id: str) -> None:
        stock(self, file_system_id)
        for access_point_id in [
            key for key, each in self.access_points.items() if each.file_system_id == file_system_id
        ]:
            del self.access_points[access_point_id]

    return delete_file_system


def _delete_access_point(stock: Any) -> Any:
    def delete_access_point(self: EFSBackend, access_point_id: str) -> None:
        if access_point_id not in self.access_points:
            raise AccessPointNotFound(access_point_id)
        stock(self, access_point_id)

    return delete_access_point


def _describe_access_points(self: Any) -> Any:
    """List access points of one file system or one id, with paging, which moto lacks."""
    file_system_id = self._get_param("FileSystemId")
    access_point_id = self._get_param("AccessPointId")
    if file_system_id and access_point_id:
        raise BadRequest("Specify either FileSystemId or AccessPointId, not both.")
    if file_system_id:
        _file_system(self.efs_backend, file_system_id)
    found = self.efs_backend.describe_access_points(access_point_id, file_system_id)
    start, size = int(self._get_param("NextToken") or 0), self._get_int_param("MaxResults", 100)
    answer: dict[str, Any] = {"AccessPoints": [each.info_json() for each in found[start : start + size]]}
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return json.dumps(answer), dict(JSON)


def _update_file_system(self: Any) -> Any:
    """Change the throughput mode."""
    found = _file_system(self.efs_backend, self._get_param("FileSystemId"), available=True)
    mode, provisioned = self._get_param("ThroughputMode"), self._get_param("ProvisionedThroughputInMibps")
    _check_throughput(mode or found.throughput_mode, provisioned, found.performance_mode)
    if mode is None and provisioned is None:
        raise BadRequest("Specify ThroughputMode or ProvisionedThroughputInMibps.")
    found.throughput_mode = mode or found.throughput_mode
    found.provisioned_throughput_in_mibps = provisioned
    return json.dumps(found.info_json()), {"status": 202, **JSON}


def _put_backup_policy(self: Any) -> Any:
    """Switch automatic backups on or off."""
    found = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    status = (self._get_param("BackupPolicy") or {}).get("Status")
    if status not in ("ENABLED", "DISABLED"):
        raise BadRequest("BackupPolicy.Status must be ENABLED or DISABLED.")
    found._backup = status == "ENABLED"
    return json.dumps({"BackupPolicy": {"Status": status}}), dict(JSON)


def _delete_policy(self: Any) -> Any:
    """Remove the file system policy; none is fine."""
    _file_system(self.efs_backend, self._get_param("FileSystemId")).file_system_policy = None
    return "", dict(JSON)


def _describe_tags(self: Any) -> Any:
    """List the tags of a file system."""
    found = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    return json.dumps({"Tags": self.efs_backend.list_tags_for_resource(found.file_system_id)}), dict(JSON)


def _create_tags(self: Any) -> Any:
    """Add or replace tags of a file system."""
    found = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    tags = {tag["Key"]: tag["Value"] for tag in self._get_param("Tags")}
    self.efs_backend.tag_resource(found.file_system_arn, tags)
    return "", {"status": 204, **JSON}


def _delete_tags(self: Any) -> Any:
    """Remove tags of a file system."""
    found = _file_system(self.efs_backend, self._get_param("FileSystemId"))
    self.efs_backend.untag_resource(found.file_system_arn, self._get_param("TagKeys"))
    return "", {"status": 204, **JSON}


def _needs_file_system(stock: Any) -> Any:
    """Let an action answer 404 for an unknown file system, where moto raises KeyError."""

    def action(self: Any) -> Any:
        _file_system(self.efs_backend, self._get_param("FileSystemId"))
        return stock(self)

    action.__name__ = stock.__name__
    return action


def _needs_resource(stock: Any) -> Any:
    """Let a tagging action answer 404 for an unknown resource, and accept ARNs."""

    def action(self: Any) -> Any:
        resource_id = self._get_param("ResourceId").split("/")[-1]
        backend = self.efs_backend
        if resource_id not in backend.file_systems_by_id and resource_id not in backend.access_points:
            raise (AccessPointNotFound if resource_id.startswith("fsap-") else FileSystemNotFound)(resource_id)
        return stock(self)

    action.__name__ = stock.__name__
    return action

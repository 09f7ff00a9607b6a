# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of an EFS storage: file system, mount target, access point."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ..clients.aws import Aws, from_tag_list, tag_list
from ..compare import FieldChange, drop_empty
from ..errors import ApiError, NotFound, Refused
from ..resource import Found, Kind, Wanted, gather
from ..waiting import Look, Waiter

AVAILABLE = "available"
# Errors that pass when the other resource has reached its next state.
PASSING = ("IncorrectFileSystemLifeCycleState", "IncorrectMountTargetState", "FileSystemInUse")


class FileSystems:
    """Finds the file system of a name (its creation token), once for all kinds of a bundle."""

    def __init__(self, aws: Aws, name: str) -> None:
        self._aws = aws
        self._name = name
        self._lock = threading.Lock()
        self._known: dict[str, Any] | None = None
        self._asked = False

    def find(self, *, again: bool = False) -> dict[str, Any] | None:
        """The file system as DescribeFileSystems answers it, None if it does not exist."""
        with self._lock:
            if again or not self._asked:
                self._asked = True
                answer = self._aws.call("efs", "describe_file_systems", CreationToken=self._name)
                self._known = next(iter(answer["FileSystems"]), None)
            return self._known

    def id(self) -> str:
        """The id of the file system, empty if it does not exist."""
        found = self.find()
        return str(found["FileSystemId"]) if found else ""


class FileSystemKind(Kind):
    """An EFS file system. delete_data: deleting it, and all that is in it, is what the user wants."""

    title = "efs file system"
    immutable = ("CreationToken", "PerformanceMode", "Encrypted", "KmsKeyId")

    def __init__(self, aws: Aws, waiter: Waiter, systems: FileSystems, seconds: float, *, delete_data: bool) -> None:
        self._aws = aws
        self._waiter = waiter
        self._systems = systems
        self._seconds = seconds
        self._delete_data = delete_data
        self.compare_key = False

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        keys = [*self.immutable, "ThroughputMode", "ProvisionedThroughputInMibps", "Backup", "LifecyclePolicies"]
        kept = {key: body.get(key) for key in keys}
        if not self.compare_key:
            # Without a key of the user's, AWS encrypts with its own and answers that one's ARN.
            kept.pop("KmsKeyId")
        policies = [dict(item) for item in kept["LifecyclePolicies"] or ()]
        kept["LifecyclePolicies"] = sorted(policies, key=sorted)
        return dict(drop_empty(kept))

    def read(self, name: str) -> Found | None:
        system = self._systems.find()
        if system is None or system["LifeCycleState"] in ("deleting", "deleted"):
            return None
        answers = gather(
            {
                "lifecycle": lambda: self._policy("describe_lifecycle_configuration", system["FileSystemId"]),
                "backup": lambda: self._policy("describe_backup_policy", system["FileSystemId"]),
            }
        )
        backup = answers["backup"].get("BackupPolicy", {}).get("Status") in ("ENABLED", "ENABLING")
        body = {**system, "LifecyclePolicies": answers["lifecycle"].get("LifecyclePolicies", []), "Backup": backup}
        tags = from_tag_list(system.get("Tags"))
        return Found(id=system["FileSystemId"], body=body, tags=tags, raw=system, attributes={"arn": arn_of(system)})

    def _policy(self, operation: str, file_system: str) -> dict[str, Any]:
        try:
            return self._aws.call("efs", operation, FileSystemId=file_system)
        except ApiError as error:
            if error.code != "PolicyNotFound":
                raise
            return {}

    def create(self, wanted: Wanted) -> Found:
        body = {key: value for key, value in wanted.body.items() if key != "LifecyclePolicies"}
        try:
            answer = self._aws.call("efs", "create_file_system", **body, Tags=tag_list(wanted.tags, upper=True))
            identifier = answer["FileSystemId"]
        except ApiError as error:
            # A retry after a lost answer finds what the first try made.
            if error.code != "FileSystemAlreadyExists":
                raise
            self._systems.find(again=True)
            identifier = self._systems.id()
        self._await_available(wanted.name)
        if wanted.body.get("LifecyclePolicies"):
            self._put_lifecycle(identifier, wanted.body["LifecyclePolicies"])
        return self._again(wanted.name)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        changed = {field.path.partition(".")[0].partition("[")[0] for field in fields}
        if "tags" in changed:
            self._aws.call("efs", "tag_resource", ResourceId=found.id, Tags=tag_list(wanted.tags, upper=True))
        throughput = {
            key: wanted.body[key] for key in ("ThroughputMode", "ProvisionedThroughputInMibps") if key in wanted.body
        }
        if changed & {"ThroughputMode", "ProvisionedThroughputInMibps"}:
            self._aws.call("efs", "update_file_system", FileSystemId=found.id, **throughput)
        if "LifecyclePolicies" in changed:
            self._put_lifecycle(found.id, wanted.body["LifecyclePolicies"])
        if "Backup" in changed:
            status = {"Status": "ENABLED" if wanted.body["Backup"] else "DISABLED"}
            self._aws.call("efs", "put_backup_policy", FileSystemId=found.id, BackupPolicy=status)
        return self._again(wanted.name)

    def _put_lifecycle(self, file_system: str, policies: Sequence[Mapping[str, str]]) -> None:
        self._aws.call("efs", "put_lifecycle_configuration", FileSystemId=file_system, LifecyclePolicies=list(policies))

    def delete(self, found: Found) -> None:
        """Delete the file system with all its mount targets, also those that others made: it cannot go without."""
        if not self._delete_data:
            raise Refused(
                f"efs file system {found.body['CreationToken']} ({found.id}) would be deleted with all models in it.",
                hint="Set delete_data: true if you mean it.",
            )
        for target in self._aws.pages("efs", "describe_mount_targets", "MountTargets", FileSystemId=found.id):
            delete_mount_target(self._aws, target["MountTargetId"])

        def look() -> Look[bool]:
            try:
                self._aws.call("efs", "delete_file_system", FileSystemId=found.id)
            except NotFound:
                return Look(True)
            except ApiError as error:
                if error.code not in PASSING:
                    raise
                return Look(None, error.code)
            return Look(None, "deleting")

        self._waiter.until(f"file system {found.id} to be gone", self._seconds, look)
        self._systems.find(again=True)

    def _await_available(self, name: str) -> None:
        def look() -> Look[bool]:
            system = self._systems.find(again=True)
            state = system["LifeCycleState"] if system else "unknown"
            return Look(True if state == AVAILABLE else None, state)

        self._waiter.until(f"file system {name} to be available", self._seconds, look)

    def _again(self, name: str) -> Found:
        self._systems.find(again=True)
        found = self.read(name)
        if found is None:
            raise NotFound(f"file system {name} is gone again right after it was written")
        return found


class MountTargetKind(Kind):
    """The address of a file system in one subnet. Its name is the subnet's id; it is the file system's child."""

    title = "efs mount target"
    taggable = False
    immutable = ("SubnetId", "FileSystemId")

    def __init__(self, aws: Aws, waiter: Waiter, systems: FileSystems, seconds: float, *, groups: bool) -> None:
        self._aws = aws
        self._waiter = waiter
        self._systems = systems
        self._seconds = seconds
        self._groups = groups

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {"FileSystemId": body["FileSystemId"], "SubnetId": body["SubnetId"]}
        if self._groups:
            kept["SecurityGroups"] = sorted(body.get("SecurityGroups") or ())
        return kept

    def read(self, name: str) -> Found | None:
        file_system = self._systems.id()
        if not file_system:
            return None
        targets = self._aws.pages("efs", "describe_mount_targets", "MountTargets", FileSystemId=file_system)
        for target in targets:
            if target["SubnetId"] == name and target["LifeCycleState"] not in ("deleting", "deleted"):
                return self._found(target)
        return None

    def _found(self, target: Mapping[str, Any]) -> Found:
        groups: list[str] = []
        if self._groups:
            answer = self._aws.call(
                "efs", "describe_mount_target_security_groups", MountTargetId=target["MountTargetId"]
            )
            groups = answer["SecurityGroups"]
        return Found(id=target["MountTargetId"], body={**target, "SecurityGroups": groups}, raw=target)

    def create(self, wanted: Wanted) -> Found:
        def begin() -> Look[bool]:
            try:
                self._aws.call("efs", "create_mount_target", **wanted.body)
            except ApiError as error:
                # A retry after a lost answer finds what the first try made; an earlier run may have left the file
                # system being created.
                if error.code not in (*PASSING, "MountTargetConflict"):
                    raise
                return Look(True if error.code == "MountTargetConflict" else None, error.code)
            return Look(True)

        self._waiter.until(f"the mount target in {wanted.name} to be accepted", self._seconds, begin)
        return self._available(wanted.name)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        groups = wanted.body.get("SecurityGroups", [])
        self._aws.call("efs", "modify_mount_target_security_groups", MountTargetId=found.id, SecurityGroups=groups)
        return self._available(wanted.name)

    def delete(self, found: Found) -> None:
        delete_mount_target(self._aws, found.id)

        def look() -> Look[bool]:
            return Look(True if self.read(str(found.body["SubnetId"])) is None else None, "deleting")

        self._waiter.until(f"mount target {found.id} to be gone", self._seconds, look)

    def _available(self, subnet: str) -> Found:
        def look() -> Look[Found]:
            found = self.read(subnet)
            state = found.raw["LifeCycleState"] if found else "unknown"
            return Look(found if state == AVAILABLE else None, state)

        return self._waiter.until(f"the mount target in {subnet} to be available", self._seconds, look)


class AccessPointKind(Kind):
    """The entry of a file system for one user and directory. Nothing of it but its tags can be changed."""

    title = "efs access point"
    immutable = ("FileSystemId", "PosixUser", "RootDirectory")

    def __init__(self, aws: Aws, waiter: Waiter, systems: FileSystems, seconds: float) -> None:
        self._aws = aws
        self._waiter = waiter
        self._systems = systems
        self._seconds = seconds

    def normalise(self, body: Mapping[str, Any]) -> dict[str, Any]:
        root = dict(body.get("RootDirectory") or {"Path": "/"})
        creation = dict(root.get("CreationInfo") or {})
        if creation:
            creation["Permissions"] = str(creation["Permissions"]).zfill(4)
        kept = {
            "FileSystemId": body["FileSystemId"],
            "PosixUser": body.get("PosixUser"),
            "RootDirectory": {**root, "CreationInfo": creation},
        }
        return dict(drop_empty(kept))

    def read(self, name: str) -> Found | None:
        """The access point that was created with the client token C(name)."""
        file_system = self._systems.id()
        if not file_system:
            return None
        points = self._aws.pages("efs", "describe_access_points", "AccessPoints", FileSystemId=file_system)
        for point in points:
            if point.get("ClientToken") == name and point["LifeCycleState"] not in ("deleting", "deleted"):
                tags = from_tag_list(point.get("Tags"))
                return Found(id=point["AccessPointId"], body=point, tags=tags, raw=point)
        return None

    def create(self, wanted: Wanted) -> Found:
        call = {**wanted.body, "ClientToken": wanted.name, "Tags": tag_list(wanted.tags, upper=True)}

        def begin() -> Look[bool]:
            try:
                self._aws.call("efs", "create_access_point", **call)
            except ApiError as error:
                if error.code not in (*PASSING, "AccessPointAlreadyExists"):
                    raise
                return Look(True if error.code == "AccessPointAlreadyExists" else None, error.code)
            return Look(True)

        def look() -> Look[Found]:
            found = self.read(wanted.name)
            state = found.raw["LifeCycleState"] if found else "unknown"
            return Look(found if state == AVAILABLE else None, state)

        self._waiter.until(f"access point {wanted.name} to be accepted", self._seconds, begin)
        return self._waiter.until(f"access point {wanted.name} to be available", self._seconds, look)

    def update(self, wanted: Wanted, found: Found, fields: Sequence[FieldChange]) -> Found:
        self._aws.call("efs", "tag_resource", ResourceId=found.id, Tags=tag_list(wanted.tags, upper=True))
        return Found(id=found.id, body=found.body, tags={**found.tags, **wanted.tags}, raw=found.raw)

    def delete(self, found: Found) -> None:
        try:
            self._aws.call("efs", "delete_access_point", AccessPointId=found.id)
        except NotFound:
            return

        def look() -> Look[bool]:
            return Look(True if self.read(str(found.body["ClientToken"])) is None else None, "deleting")

        self._waiter.until(f"access point {found.id} to be gone", self._seconds, look)


def delete_mount_target(aws: Aws, identifier: str) -> None:
    """Ask for the deletion of a mount target; one that is gone is no error."""
    try:
        aws.call("efs", "delete_mount_target", MountTargetId=identifier)
    except NotFound:
        return


def arn_of(system: Mapping[str, Any]) -> str:
    """The ARN of a file system, empty where the answer has none."""
    return str(system.get("FileSystemArn", ""))

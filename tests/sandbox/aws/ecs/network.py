# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS asks EC2: whether subnets and security groups exist, and where a subnet lies."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends

from tests.sandbox.aws.ecs import errors
from tests.sandbox.aws.ecs.world import ACCOUNT


def check(region: str, configuration: dict[str, Any]) -> None:
    """Raise InvalidParameterException for a subnet or security group that EC2 does not know."""
    vpc = configuration["awsvpcConfiguration"]
    if not 1 <= len(vpc["subnets"]) <= 16:
        raise errors.InvalidParameterException("subnets must have between 1 and 16 entries.")
    if len(vpc.get("securityGroups", [])) > 5:
        raise errors.InvalidParameterException("securityGroups can have at most 5 entries.")
    backend = ec2_backends[ACCOUNT][region]
    for subnet in vpc["subnets"]:
        try:
            backend.get_subnet(subnet)
        except EC2ClientError as error:
            raise errors.InvalidParameterException(
                f"Error retrieving subnet information for [{subnet}]: "
                f"The subnet ID '{subnet}' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
            ) from error
    for group in vpc.get("securityGroups", []):
        if backend.get_security_group_from_id(group) is None:
            raise errors.InvalidParameterException(
                f"Error retrieving security group information for [{group}]: "
                f"The security group '{group}' does not exist (ErrorCode: InvalidGroup.NotFound)"
            )


def filled(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return a network configuration with the defaults that AWS fills in."""
    vpc = {"securityGroups": [], "assignPublicIp": "DISABLED"} | configuration["awsvpcConfiguration"]
    return {"awsvpcConfiguration": vpc}


def zone(region: str, subnet: str) -> str:
    """Return the availability zone of a subnet; a subnet that was deleted since lies in the first one."""
    try:
        return str(ec2_backends[ACCOUNT][region].get_subnet(subnet).availability_zone)
    except EC2ClientError:
        return f"{region}a"

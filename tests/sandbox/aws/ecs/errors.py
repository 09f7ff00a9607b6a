# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors of the ECS API, with the codes and messages that a caller sees."""

from __future__ import annotations


class EcsError(Exception):
    """An answer with a 4xx status; ``code`` is the exception's name in the API."""

    code = "ClientException"
    status = 400

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ClientException(EcsError):
    """The request cannot be carried out as it stands."""


class InvalidParameterException(EcsError):
    """A parameter breaks a rule."""

    code = "InvalidParameterException"


class SerializationException(EcsError):
    """The body does not have the types of the API."""

    code = "SerializationException"


class UnknownOperationException(EcsError):
    """The action does not exist here."""

    code = "UnknownOperationException"


class ConflictException(EcsError):
    """The resource is in a state that forbids the action."""

    code = "ConflictException"


class ClusterContainsServicesException(EcsError):
    """A cluster with active services cannot be deleted."""

    code = "ClusterContainsServicesException"


class ClusterContainsTasksException(EcsError):
    """A cluster with running tasks cannot be deleted."""

    code = "ClusterContainsTasksException"


class ResourceInUseException(EcsError):
    """A capacity provider is still part of a cluster."""

    code = "ResourceInUseException"


class ClusterNotFoundException(EcsError):
    """No cluster of that name."""

    code = "ClusterNotFoundException"

    def __init__(self, message: str = "Cluster not found.") -> None:
        super().__init__(message)


class ServiceNotFoundException(EcsError):
    """No service of that name in the cluster."""

    code = "ServiceNotFoundException"

    def __init__(self, message: str = "Service not found.") -> None:
        super().__init__(message)


class ServiceNotActiveException(EcsError):
    """The service is draining or deleted."""

    code = "ServiceNotActiveException"

    def __init__(self, message: str = "Service was not ACTIVE.") -> None:
        super().__init__(message)


class ServiceDeploymentNotFoundException(EcsError):
    """No service deployment with that ARN."""

    code = "ServiceDeploymentNotFoundException"

    def __init__(self, message: str = "The service deployment was not found.") -> None:
        super().__init__(message)


class ResourceNotFoundException(EcsError):
    """No resource with that ARN."""

    code = "ResourceNotFoundException"

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with fetching a model. Each message is one line that can be acted on; none holds a secret."""

from __future__ import annotations

from ..errors import ApiError, NotFound, PolycloudError, Refused, Unreachable, WaitTimeout


class ModelError(PolycloudError):
    """Any trouble with fetching, checking or seeding a model."""


class BadName(ModelError):
    """The name or the digest of a model is not one."""


class BadManifest(ModelError):
    """The manifest is too large, not JSON, or does not describe a model."""


class BadBlob(ModelError):
    """A blob has another size or digest than its manifest says."""


class TagMoved(ModelError):
    """The tag means another digest than the pinned one."""


class BadLock(ModelError):
    """The lock file cannot be read, or contradicts what was asked for."""


class ModelNotFound(ModelError, NotFound):
    """The source has no such model or blob."""


class SourceUnreachable(ModelError, Unreachable):
    """No answer, or one that was cut off or too slow. Worth another try unless it is `final`."""

    final = False


class SourceError(ModelError, ApiError):
    """A registry answered with an error. retry_after: seconds that it asked to wait, None where it did not."""

    retry_after: float | None = None


class LoginRefused(ModelError):
    """The registry wants other credentials, or a login could not be made."""


class UnsafeRedirect(ModelError, Refused):
    """Following would give away credentials or the protection of TLS, or would never end."""


class UnsafePath(ModelError, Refused):
    """A path below the target folder is a symbolic link or not what it should be."""


class StoreError(ModelError):
    """The target folder cannot be read or written."""


class NotEnoughSpace(StoreError):
    """The file system has less free bytes than the missing blobs need."""


class StillLocked(ModelError, WaitTimeout):
    """Another process kept writing into the target folder for longer than the wait."""


class Stopped(ModelError):
    """The work was given up because another part of it failed or the user asked to stop."""

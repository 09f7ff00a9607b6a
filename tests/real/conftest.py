# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real components, as fixtures; each says what to install where it is missing."""

from __future__ import annotations

from tests.helpers.docker_registry import docker_registry  # noqa: F401 - a fixture
from tests.helpers.engines import engine_runtime, engines  # noqa: F401 - fixtures
from tests.helpers.image_yard import built, start, yard  # noqa: F401 - fixtures
from tests.helpers.real_ollama import real_ollama  # noqa: F401 - a fixture
from tests.helpers.sidecar_image import sidecar_builds, sidecar_image  # noqa: F401 - fixtures

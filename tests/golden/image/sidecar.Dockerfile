# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by the role polycloud.ollama.image. The base needs Python 3.12 and glibc, and no shell.

FROM docker.io/library/python:3.12-slim@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa AS packages
# Only what is copied from it is in the image.
# hadolint ignore=DL3002
USER 0:0
# The same byte code in every build.
ENV PYTHONHASHSEED=0
COPY packages/ /image/opt/sidecar/
COPY prepare.py /prepare.py
RUN ["python3", "/prepare.py", "3.12", "x86_64", "/image", "/opt/sidecar"]

FROM docker.io/library/python:3.12-slim@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
# With the folders above them and fixed times, so that the layer is the same in every build.
COPY --from=packages /image /
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONPATH=/opt/sidecar \
    PYTHONSAFEPATH=1
LABEL org.opencontainers.image.title="Ollama sidecar" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.12-slim" \
      org.opencontainers.image.vendor="A \"quoted\" \$HOME" \
      org.opencontainers.image.base.digest="sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
EXPOSE 8080 9091
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 CMD ["python3", "-m", "ollama_sidecar.livez"]
ENTRYPOINT ["python3", "-m", "ollama_sidecar"]
CMD ["run"]

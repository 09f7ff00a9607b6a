# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by the role polycloud.ollama.image.

FROM docker.io/ollama/ollama:0.24.0@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa AS ollama
# Only what is copied from it is in the image.
# hadolint ignore=DL3002
USER 0:0
RUN case "$(/usr/bin/ollama --version 2>&1)" in \
      *'version is 0.24.0') ;; \
      *) echo 'this Ollama is not 0.24.0:' >&2; /usr/bin/ollama --version >&2; exit 1;; \
    esac \
 && mkdir -p /usr/lib/ollama \
 && for place in /usr/lib/ollama/cuda_* /usr/lib/ollama/rocm* /usr/lib/ollama/vulkan* /usr/lib/ollama/mlx*; do \
      [ "${place##*/}" = cpu ] || rm -rf "$place"; \
    done

FROM docker.io/library/ubuntu:24.04@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
USER 0:0
RUN echo 'ollama:x:10001:10001::/home/ollama:/usr/sbin/nologin' >>/etc/passwd \
 && echo 'ollama:x:10001:' >>/etc/group \
 && mkdir -p /home/ollama/.ollama \
 && chown -R 10001:10001 /home/ollama
COPY --from=ollama /usr/bin/ollama /usr/bin/ollama
COPY --from=ollama /usr/lib/ollama /usr/lib/ollama
# With all folders above them and fixed times, so that the layer of a model is the same in every image.
COPY models/0 /
COPY models/1 /
COPY entrypoint.sh /usr/local/bin/ollama-entrypoint
ENV HOME=/home/ollama \
    OLLAMA_HOST=0.0.0.0:11434 \
    OLLAMA_MODELS=/opt/ollama/models \
    OLLAMA_NO_CLOUD=1 \
    OLLAMA_NOPRUNE=1 \
    POLYCLOUD_BAKED_MODELS=/opt/ollama/models \
    POLYCLOUD_STORAGE=baked
LABEL org.opencontainers.image.title="Ollama" \
      org.opencontainers.image.version="0.24.0" \
      org.opencontainers.image.base.name="docker.io/library/ubuntu:24.04" \
      org.opencontainers.image.base.digest="sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
      polycloud.ollama.models="gemma3:1b@sha256:1111111111111111111111111111111111111111111111111111111111111111,team/own:2@sha256:2222222222222222222222222222222222222222222222222222222222222222" \
      polycloud.ollama.payload="cpu" \
      polycloud.ollama.storage="baked"
EXPOSE 11434
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/bin/ollama", "ps"]
ENTRYPOINT ["/usr/local/bin/ollama-entrypoint"]
CMD ["serve"]

# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that all deployment modules share. Held equal to module_utils/deployment/options.py by a test."""

from __future__ import annotations


class ModuleDocFragment:
    """`polycloud.ollama.deployment`."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the deployment. All resources of the deployment are named after it and carry it as ownership tag.
      - 2 to 24 lower-case letters, digits and single hyphens, starting with a letter.
    type: str
    required: true
  state:
    description:
      - V(present) creates a deployment running, and never changes whether an existing one runs. On a stopped one it changes
        the definition where the platform can, else it reports C(deferred).
      - V(started) is V(present), and starts a stopped deployment.
      - V(stopped) stops all replicas and keeps the definition.
      - V(rolled_back) returns to the last good release, or to the good one before it if the last good one runs.
      - V(absent) deletes what carries the ownership tags of this deployment. Model storage stays.
    type: str
    choices: [present, started, stopped, absent, rolled_back]
    default: present
  image:
    description:
      - Image with Ollama, pinned by digest, for example C(registry.example.com/ollama:0.24.0@sha256:…).
      - Required for O(state=present) and O(state=started).
    type: str
  image_size:
    description:
      - Size of the image in bytes as its registry has it, that is packed, such as C(image_result.size) of the role
        C(image). It is compared with the largest image that the platform takes.
    type: int
  hardening:
    description:
      - The server runs as O(storage.uid), on a read-only root file system and without Linux capabilities where the
        platform can do that. The plan shows for each of these, and for the size of the image, what the platform gives.
      - V(strict) refuses what it does not give, or what is not known, before anything is called. Azure Container
        Instances and Azure Container Apps have no setting for most of it.
    type: str
    choices: [standard, strict]
    default: standard
  models:
    description:
      - Models that the deployment serves. A release must answer a prompt with the first one to be good.
      - Required for O(state=present) and O(state=started).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name and tag, as C(gemma3:4b) or C(namespace/model:tag). A registry host is refused.
        type: str
        required: true
      digest:
        description: SHA-256 of the model's manifest. Pins what the tag must mean; a release with another one is bad.
        type: str
  runtime:
    description: Settings of the Ollama server.
    type: dict
    suboptions:
      ollama_version:
        description: Version that the image holds. Versions below 0.17.1 are refused, here and when the release answers.
        type: str
      num_parallel:
        description: Requests that one model answers at the same time. KV cache memory grows with it.
        type: int
        default: 1
      max_loaded_models:
        description: Models in memory at the same time. Ollama's own default if not set.
        type: int
      keep_alive:
        description: How long a model stays in memory after a request, as duration; V(-1) is for ever.
        type: str
        default: '-1'
      context_length:
        description: Context window in tokens. Always set, since Ollama otherwise chooses it by the GPU's memory.
        type: int
        default: 4096
      flash_attention:
        description: Force flash attention on or off. Ollama decides if not set.
        type: bool
      kv_cache_type:
        description: Quantisation of the KV cache.
        type: str
        choices: [f16, q8_0, q4_0]
      load_timeout:
        description: Seconds without progress after which loading a model fails. Raise it for slow network volumes.
        type: int
        default: 300
      environment:
        description:
          - More environment variables of the server. Variables that another option sets are refused.
          - Not for secrets, see O(secrets).
        type: dict
        default: {}
  resources:
    description: What one replica gets.
    type: dict
    suboptions:
      cpu:
        description: vCPUs.
        type: float
        default: 4.0
      memory_gib:
        description: Memory in GiB.
        type: float
        default: 16.0
      gpu:
        description: GPUs of one replica. Without it Ollama runs on the CPU.
        type: dict
        suboptions:
          count:
            description: Number of GPUs.
            type: int
            default: 1
          type:
            description: GPU type or GPU workload profile, in the platform's own spelling.
            type: str
          sharing:
            description: Share one GPU through NVIDIA MPS, where the platform can.
            type: dict
            suboptions:
              memory_mib:
                description: GPU memory of this replica in MiB.
                type: int
                required: true
              max_compute_percent:
                description: Largest share of the GPU's compute in percent.
                type: int
  storage:
    description: Where the models live.
    type: dict
    suboptions:
      mode:
        description:
          - V(baked) reads them from the image, V(volume) from the persistent volume in O(platform).
          - V(both) mounts the volume and lets the image fill it once. It takes an image that does so at its start, as the
            role C(image) builds it.
          - The server gets the mode as C(POLYCLOUD_STORAGE), so that one image serves all three.
        type: str
        choices: [baked, volume, both]
        default: baked
      path:
        description: Path of the models in the container.
        type: str
        default: /models
      uid:
        description: User that owns the models and runs the server where the platform can set it. V(0) is root.
        type: int
        default: 10001
      gid:
        description: Group that owns the models and runs the server where the platform can set it.
        type: int
        default: 10001
      seed:
        description:
          - With O(storage.mode=volume), a container that fetches O(models) to the volume before the server starts, with
            every replica. What is there is not fetched again, one container writes at a time, nothing is removed, and the
            server mounts the volume read-only.
          - Each model needs its digest. Without this option somebody else fills the volume.
          - The login to the registry of the models goes under O(secrets) as C(POLYCLOUD_REGISTRY_USERNAME) and
            C(POLYCLOUD_REGISTRY_PASSWORD), or C(POLYCLOUD_REGISTRY_TOKEN). Only this container gets it.
        type: dict
        suboptions:
          image:
            description: Image with Python 3.9 or newer and the model fetcher, pinned by digest.
            type: str
            required: true
          command:
            description: How the model fetcher is started in it. Its arguments are put behind.
            type: list
            elements: str
            default: [python3, /fetch.pyz]
          registry:
            description: URL of the registry to fetch from. By default Ollama's public one.
            type: str
          insecure:
            description: Whether plain http and certificates that nobody vouches for are permitted.
            type: bool
            default: false
          parallel:
            description: Streams at once.
            type: int
            default: 4
  network:
    description: How the deployment is reached.
    type: dict
    suboptions:
      port:
        description: Port of the server.
        type: int
        default: 11434
      exposure:
        description: V(public) needs O(network.authentication), since Ollama has no authentication of its own.
        type: str
        choices: [private, public]
        default: private
      authentication:
        description:
          - V(client_certificate) lets the platform's ingress demand a client certificate, where it can.
          - V(external) says that requests pass an authenticating proxy of yours.
        type: str
        choices: [none, client_certificate, external]
        default: none
      allowed_cidrs:
        description: Networks that may connect, where the platform can enforce it.
        type: list
        elements: str
        default: []
      endpoint_url:
        description:
          - URL at which the controller and the clients reach the deployment, when it is not the platform's address.
          - C({host}) in it is replaced by that address.
        type: str
  scaling:
    description: Replica bounds. Equal bounds are a fixed count. A count that an autoscaler owns is never touched.
    type: dict
    suboptions:
      min:
        description: Fewest replicas.
        type: int
        default: 1
      max:
        description: Most replicas.
        type: int
        default: 1
      target_concurrency:
        description: Requests in flight per replica at which another one is added. O(runtime.num_parallel) if not set.
        type: int
      cooldown:
        description: Seconds without load before a replica is removed.
        type: int
        default: 300
  schedule:
    description: Working hours, where the platform has a calendar of its own. Outside of them no replica runs.
    type: dict
    suboptions:
      timezone:
        description: Name of the time zone, for example V(Europe/Berlin).
        type: str
        required: true
      start:
        description: Start of the day as HH:MM.
        type: str
        required: true
      stop:
        description: End of the day as HH:MM. Before O(schedule.start) it is the next day.
        type: str
        required: true
      days:
        description: Days on which the deployment runs.
        type: list
        elements: str
        choices: [mon, tue, wed, thu, fri, sat, sun]
        default: [mon, tue, wed, thu, fri]
  health:
    description: What makes a release good.
    type: dict
    suboptions:
      verify:
        description:
          - V(prompt) asks the new release itself a real prompt, with the model resident in memory.
          - V(steady) trusts the platform alone, for controllers that cannot reach the deployment.
        type: str
        choices: [prompt, steady]
        default: prompt
      prompt:
        description: The prompt.
        type: str
        default: 'Reply with one word: ready'
      timeout:
        description: Seconds for the new release to load its model and answer.
        type: int
        default: 900
      startup_timeout:
        description: Seconds that the platform's own probes give a replica to come up.
        type: int
        default: 600
      min_tokens_per_second:
        description: A release that generates slower is bad.
        type: float
      require_gpu:
        description: A release whose model is not in GPU memory is bad. True by default when O(resources.gpu) is set.
        type: bool
  update:
    description: How a release replaces another.
    type: dict
    suboptions:
      strategy:
        description:
          - V(surge) starts the new release beside the old one and needs room for both; no outage.
          - V(stop_first) stops the old release first; V(in_place) restarts it with the new definition. Both are an outage.
          - The default is the platform's, see the support table.
        type: str
        choices: [surge, stop_first, in_place]
      timeout:
        description: Seconds for the platform to bring a release up.
        type: int
        default: 1800
      auto_rollback:
        description: Bring the former release back when the new one is bad.
        type: bool
        default: true
      keep_revisions:
        description: Past releases to keep. The running, the last good and the good one before it are always kept.
        type: int
        default: 10
  logging:
    description: Container logs.
    type: dict
    suboptions:
      retention_days:
        description: Days to keep them, where the platform lets us say.
        type: int
        default: 30
  secrets:
    description:
      - Environment variables of the server that must never be seen.
      - Give either a reference to a vault of the platform, or a value (from an encrypted variable) where that is safe.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the environment variable.
        type: str
        required: true
      reference:
        description: ARN or URL of the secret.
        type: str
      value:
        description: The value itself. Compared by a salted digest in a tag; never read back or shown.
        type: str
  tags:
    description: Tags of all resources, beside ours. Tags that others set are left alone.
    type: dict
    default: {}
  overrides:
    description:
      - What the options above cannot say, merged into the translated body of a resource and shown in the plan.
      - The keys are the resources of the bundle as the plan names them; a value of V(null) removes a field.
    type: dict
    default: {}
  adopt:
    description: Take over resources that exist and do not carry our ownership tags.
    type: bool
    default: false
  recreate:
    description: Delete and create a resource when a field changes that cannot be changed in place.
    type: bool
    default: false
  force:
    description: Deploy a configuration again that was found bad and rolled back before.
    type: bool
    default: false
"""

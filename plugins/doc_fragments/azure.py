# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every Azure module. Held equal to module_utils/clients/azure_options.py by a test."""

from __future__ import annotations


class ModuleDocFragment:
    """`polycloud.ollama.azure`."""

    DOCUMENTATION = r"""
options:
  auth_source:
    description:
      - Where the credentials come from.
      - V(auto) takes the module's options, then the environment, then the profile V(default) of
        C(~/.azure/credentials), then Azure CLI.
      - V(cli) takes the account that C(az login) left. V(env) takes the environment variables named below.
      - V(credential_file) takes O(profile) of C(~/.azure/credentials). V(msi) takes the managed identity of the host.
      - E(ANSIBLE_AZURE_AUTH_SOURCE) is used where it is not set.
    type: str
    choices: [auto, cli, credential_file, env, msi]
    default: auto
  profile:
    description: Section of C(~/.azure/credentials). E(AZURE_PROFILE) in the environment does the same.
    type: str
  subscription_id:
    description:
      - Azure subscription. E(AZURE_SUBSCRIPTION_ID) or the profile is used where it is not set.
    type: str
  client_id:
    description: Client id of a service principal or of a managed identity. Also E(AZURE_CLIENT_ID).
    type: str
  secret:
    description: Secret of the service principal. Also E(AZURE_SECRET).
    type: str
  tenant:
    description: Tenant of the service principal. Also E(AZURE_TENANT) or E(AZURE_TENANT_ID).
    type: str
  ad_user:
    description: Name of a user without multi-factor authentication. Prefer a service principal. Also E(AZURE_AD_USER).
    type: str
  password:
    description: Password of O(ad_user). Also E(AZURE_PASSWORD).
    type: str
  cloud_environment:
    description:
      - The Azure cloud, V(AzureCloud), V(AzureUSGovernment) or V(AzureChinaCloud), or the resource manager address of
        one of them.
      - Where it is left at its default, E(AZURE_CLOUD_ENVIRONMENT) or the profile decides.
    type: str
    default: AzureCloud
  cert_validation_mode:
    description: Whether certificates of Azure's addresses are checked; V(validate) where nothing is set. Also
      E(AZURE_CERT_VALIDATION_MODE).
    type: str
    choices: [ignore, validate]
  api_profile:
    description: Accepted so that defaults of C(azure.azcollection) fit. API versions are fixed by this collection.
    type: str
    default: latest
  adfs_authority_url:
    description: Authority that gives tokens, for an own ADFS or a private Azure. Also E(AZURE_ADFS_AUTHORITY_URL).
    type: str
  log_mode:
    description: Accepted so that defaults of C(azure.azcollection) fit; not used.
    type: str
  log_path:
    description: Accepted so that defaults of C(azure.azcollection) fit; not used.
    type: str
  x509_certificate_path:
    description: PEM file with the service principal's private key and certificate. Also E(AZURE_X509_CERTIFICATE_PATH).
    type: path
  thumbprint:
    description: Accepted so that defaults of C(azure.azcollection) fit; it is read from the certificate itself.
    type: str
  disable_instance_discovery:
    description:
      - Do not ask Microsoft's public address whether the authority is genuine, for private clouds without a way to it.
      - Make sure that the authority can be trusted. Also E(AZURE_DISABLE_INSTANCE_DISCOVERY).
    type: bool
    default: false
  oidc_token:
    description: OpenID Connect token (workload identity federation). Also E(AZURE_FEDERATED_TOKEN).
    type: str
  oidc_token_file_path:
    description: File that holds an OpenID Connect token and nothing else. Also E(AZURE_FEDERATED_TOKEN_FILE).
    type: path
  resource_manager_endpoint:
    description:
      - Address of Azure Resource Manager, for a private Azure, a proxy, or the sandbox of this collection.
      - It must be C(https). Plain C(http) is accepted for a loopback address only, and then no token is
        requested or sent.
      - E(AZURE_RESOURCE_MANAGER_ENDPOINT) is used where it is not set.
    type: str
requirements:
  - azure-identity
  - azure-mgmt-core
notes:
  - Option and environment names are those of C(azure.azcollection), so that C(module_defaults) for its group fit.
    Its Python packages are not needed.
"""

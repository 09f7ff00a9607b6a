# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts on the emulated Azure: what only Container Apps does. What all platforms do is in tests/contract."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure import AzureClient, azure_client
from ansible_collections.polycloud.ollama.plugins.module_utils.clients.azure_versions import CONTAINER_APPS
from ansible_collections.polycloud.ollama.plugins.module_utils.container_apps.platform import ContainerApps
from ansible_collections.polycloud.ollama.plugins.module_utils.errors import Refused, ReleaseFailed
from ansible_collections.polycloud.ollama.plugins.module_utils.outcome import Outcome
from ansible_collections.polycloud.ollama.plugins.module_utils.planner import Consent
from ansible_collections.polycloud.ollama.plugins.module_utils.reconcile import Reconciler
from ansible_collections.polycloud.ollama.plugins.module_utils.verification import verifier
from tests.helpers.container_apps import GPU, describe
from tests.sandbox.launcher import Sandbox

PORT = 8080
GOOD = "registry.example.com/ollama:good@sha256:" + "a" * 64
BETTER = "registry.example.com/ollama:better@sha256:" + "b" * 64
NO_MODEL = "registry.example.com/ollama:no-model@sha256:" + "c" * 64


class Azure:
    """The emulated Azure with one deployment, C(chat), in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        endpoint = sandbox.environment()["AZURE_RESOURCE_MANAGER_ENDPOINT"]
        subscription = sandbox.seeds["azure"]["subscription_id"]
        self.client: AzureClient = azure_client(
            {"resource_manager_endpoint": endpoint, "subscription_id": subscription}, timeout=60
        )
        self.events: list[str] = []
        self.app_id = f"{self.client.group_id('rg-ollama-westus3')}/providers/Microsoft.App/containerApps/chat"

    def run(
        self, state: str = "present", *, image: str = GOOD, consent: Consent | None = None, **changes: Any
    ) -> Outcome:
        """Bring the deployment to a state as the module does."""
        return self.reconciler(image=image, consent=consent, **changes).run(state)

    def reconciler(self, *, image: str = GOOD, consent: Consent | None = None, **changes: Any) -> Reconciler:
        shared: dict[str, Any] = {
            "image": image,
            "network": {"port": PORT, "endpoint_url": f"http://{{host}}:{PORT}", **changes.pop("network", {})},
            "health": {"timeout": 20},
            "update": {"timeout": 60, **changes.pop("update", {})},
            "platform": {"drain": 0, **changes.pop("platform", {})},
        }
        deployment = describe(GPU, **shared, **changes)
        emit = self._hear
        platform = ContainerApps(deployment, self.client, emit)
        return Reconciler(platform, verifier(deployment, emit), emit, consent=consent)

    def _hear(self, source: str, text: str) -> None:
        self.events.append(f"{source}: {text}")

    def app(self) -> dict[str, Any]:
        found = self.client.get(self.app_id, CONTAINER_APPS)
        assert found is not None
        return found

    def traffic(self) -> list[dict[str, Any]]:
        return list(self.app()["properties"]["configuration"]["ingress"]["traffic"])

    def active(self) -> list[str]:
        revisions = self.client.list(f"{self.app_id}/revisions", CONTAINER_APPS)
        return [item["name"] for item in revisions if item["properties"]["active"]]

    def secret(self, name: str) -> str:
        listed = self.client.post(self.app_id, "listSecrets", CONTAINER_APPS)["value"]
        return str(next(item["value"] for item in listed if item["name"] == name))

    def shift(self, *traffic: dict[str, Any]) -> None:
        """Shift traffic as a person would in the portal."""
        body = {"properties": {"configuration": {"ingress": {"traffic": list(traffic)}}}}
        self.client.patch(self.app_id, CONTAINER_APPS, body)

    @contextmanager
    def requests(self) -> Iterator[list[str]]:
        """Ask the app's address all the while; yields the requests that failed."""
        host = self.app()["properties"]["configuration"]["ingress"]["fqdn"]
        failed: list[str] = []
        done = threading.Event()

        def ask() -> None:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            while not done.wait(0.02):
                try:
                    with opener.open(f"http://{host}:{PORT}/api/version", timeout=5) as answer:
                        if answer.status != 200:
                            failed.append(str(answer.status))
                except OSError as error:
                    failed.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield failed
        finally:
            done.set()
            thread.join()


@pytest.fixture
def azure(clouds: Sandbox) -> Azure:
    return Azure(clouds)


def test_a_first_release_serves_by_its_name(azure: Azure) -> None:
    outcome = azure.run()
    assert azure.traffic() == [{"revisionName": outcome.record.last_good, "weight": 100}]
    assert outcome.record.last_good.startswith("chat--r")


def test_an_unchanged_deployment_costs_three_reads(azure: Azure) -> None:
    azure.run()
    before = len(azure.sandbox.client.requests())
    outcome = azure.run()
    calls = azure.sandbox.client.requests()[before:]
    assert not outcome.changed
    assert sorted(call["operation"] for call in calls) == [
        "GET containerApps",
        "GET containerApps/revisions",
        "GET managedEnvironments",
    ]


def test_a_bad_release_with_surge_fails_no_request(azure: Azure) -> None:
    first = azure.run().record.last_good
    with azure.requests() as failed, pytest.raises(ReleaseFailed) as caught:
        azure.run(image=NO_MODEL)
    assert caught.value.rolled_back
    assert failed == []
    assert azure.active() == [first]
    assert azure.traffic() == [{"revisionName": first, "weight": 100}]


def test_a_good_release_with_surge_fails_no_request_and_keeps_the_old_one_inactive(azure: Azure) -> None:
    first = azure.run().record.last_good
    with azure.requests() as failed:
        record = azure.run(image=BETTER).record
    assert failed == []
    assert (record.previous_good, azure.active()) == (first, [record.last_good])


def test_with_one_gpu_surge_ends_with_the_quota_to_ask_for(azure: Azure) -> None:
    azure.run()
    azure.sandbox.client.set_capacity(gpu=1)
    with pytest.raises(ReleaseFailed, match=r"Managed Environment Consumption T4 Gpus.*stop_first"):
        azure.run(image=BETTER, update={"timeout": 3})
    assert not azure.run().changed


def test_with_one_gpu_stop_first_updates_with_an_outage_that_it_announces(azure: Azure) -> None:
    first = azure.run().record.last_good
    azure.sandbox.client.set_capacity(gpu=1)
    outcome = azure.run(image=BETTER, update={"strategy": "stop_first"})
    assert any("outage expected" in note for note in outcome.plan.notes)
    assert outcome.outage_seconds is not None
    assert outcome.record.previous_good == first


def test_a_bad_release_with_stop_first_brings_the_old_one_back(azure: Azure) -> None:
    first = azure.run().record.last_good
    azure.sandbox.client.set_capacity(gpu=1)
    with pytest.raises(ReleaseFailed) as caught:
        azure.run(image=NO_MODEL, update={"strategy": "stop_first"})
    assert caught.value.outage_seconds is not None
    assert azure.active() == [first]
    assert not azure.run().changed


def test_traffic_that_was_shifted_by_hand_is_shown_and_brought_back(azure: Azure) -> None:
    first = azure.run().record.last_good
    second = azure.run(image=BETTER).record.last_good
    azure.client.post(f"{azure.app_id}/revisions/{first}", "activate", CONTAINER_APPS)
    azure.shift({"revisionName": first, "weight": 40}, {"revisionName": second, "weight": 60})
    plan = azure.run(image=BETTER).plan
    shown = {field.path.partition("ingress.traffic.")[2] for field in plan["app"].fields}
    assert shown == {first, second, "(serving revision)"}
    assert azure.traffic() == [{"revisionName": second, "weight": 100}]
    assert azure.active() == [second]


def test_a_serving_revision_that_was_deactivated_is_activated_again(azure: Azure) -> None:
    first = azure.run().record.last_good
    azure.client.post(f"{azure.app_id}/revisions/{first}", "deactivate", CONTAINER_APPS)
    outcome = azure.run()
    assert [field.path for field in outcome.plan["app"].fields] == ["properties.deactivated"]
    assert azure.active() == [first]


def test_a_changed_secret_makes_a_revision_and_a_bad_release_gets_the_old_value_back(azure: Azure) -> None:
    azure.run(secrets=[{"name": "HF_TOKEN", "value": "one"}])
    with pytest.raises(ReleaseFailed):
        azure.run(image=NO_MODEL, secrets=[{"name": "HF_TOKEN", "value": "two"}])
    assert azure.secret("hf-token") == "one"
    assert not azure.run(secrets=[{"name": "HF_TOKEN", "value": "one"}]).changed
    outcome = azure.run(secrets=[{"name": "HF_TOKEN", "value": "two"}])
    assert outcome.record.last_good != outcome.record.previous_good
    assert azure.secret("hf-token") == "two"


def test_a_secret_that_is_no_longer_wanted_goes_when_the_new_release_serves(azure: Azure) -> None:
    azure.run(secrets=[{"name": "HF_TOKEN", "value": "one"}])
    azure.run(image=BETTER)
    assert not azure.app()["properties"]["configuration"]["secrets"]


def test_a_change_of_the_configuration_alone_makes_no_revision(azure: Azure) -> None:
    first = azure.run().record.last_good
    outcome = azure.run(network={"allowed_cidrs": ["127.0.0.0/8"]})
    assert outcome.changed
    assert outcome.record.last_good == first
    assert not azure.run(network={"allowed_cidrs": ["127.0.0.0/8"]}).changed


def test_a_former_template_is_activated_again_instead_of_made_anew(azure: Azure) -> None:
    first = azure.run().record.last_good
    azure.run(image=BETTER)
    assert azure.run(image=GOOD).record.last_good == first


def test_a_rollback_brings_back_image_and_models_together(azure: Azure) -> None:
    azure.run()
    azure.run(image=BETTER)
    plan = azure.run("rolled_back", image=BETTER).plan
    assert {field.path for field in plan["app"].fields} == {"release", "image"}
    assert azure.app()["properties"]["runningStatus"] == "Running"
    assert not azure.run(image=GOOD).changed


def test_a_rollback_to_a_revision_without_its_secret_is_refused_before_anything_changes(azure: Azure) -> None:
    azure.run(secrets=[{"name": "HF_TOKEN", "value": "one"}])
    second = azure.run(image=BETTER).record.last_good
    with pytest.raises(Refused, match="no longer has its secrets hf-token"):
        azure.run("rolled_back", image=BETTER)
    assert azure.active() == [second]


def test_an_interrupted_rollout_is_taken_up_again(azure: Azure) -> None:
    first = azure.run().record.last_good
    stopped = azure.reconciler(image=BETTER)
    stopped._prove = lambda *_: (_ for _ in ()).throw(KeyboardInterrupt())  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        stopped.run("present")
    assert azure.traffic() == [{"revisionName": first, "weight": 100}]
    record = azure.run(image=BETTER).record
    assert azure.active() == [record.last_good]
    assert record.last_good != first


def test_a_stopped_app_waits_with_its_new_definition_for_the_start(azure: Azure) -> None:
    first = azure.run().record.last_good
    azure.run("stopped")
    plan = azure.run(image=BETTER).plan
    assert not plan.changed
    assert any(note.startswith("deferred") for note in plan.notes)
    assert azure.run("started", image=BETTER).record.previous_good == first


def test_a_first_release_that_is_bad_leaves_no_app_behind(azure: Azure) -> None:
    with pytest.raises(ReleaseFailed, match="removed again"):
        azure.run(image=NO_MODEL)
    assert azure.client.get(azure.app_id, CONTAINER_APPS) is None


def test_an_environment_of_the_user_without_the_profile_is_refused_and_kept(azure: Azure) -> None:
    group = azure.client.group_id("rg-ollama-westus3")
    environment = f"{group}/providers/Microsoft.App/managedEnvironments/ollama"
    profiles = [{"name": "Consumption", "workloadProfileType": "Consumption"}]
    azure.client.put(environment, CONTAINER_APPS, {"location": "westus3", "properties": {"workloadProfiles": profiles}})
    with pytest.raises(Refused, match="has no workload profile gpu; it has: Consumption"):
        azure.run()
    assert azure.client.get(azure.app_id, CONTAINER_APPS) is None


def test_the_environment_stays_while_another_app_is_in_it(azure: Azure) -> None:
    azure.run()
    other = describe(GPU, name="other", image=GOOD, network={"port": PORT, "endpoint_url": f"http://{{host}}:{PORT}"})
    platform = ContainerApps(other, azure.client, azure._hear)
    Reconciler(platform, verifier(other, azure._hear), azure._hear).run("present")
    plan = azure.run("absent").plan
    assert [change.key for change in plan.changes] == ["app"]
    assert any("1 other app" in note for note in plan.notes)


def test_outside_the_working_hours_a_release_is_refused_before_it_is_written(azure: Azure) -> None:
    hours = {"timezone": "UTC", "start": "08:00", "stop": "18:00"}
    reconciler = azure.reconciler(schedule=hours)
    reconciler.platform._app._now = lambda: datetime(2026, 7, 5, 12, 0, tzinfo=UTC)  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="outside the working hours"):
        reconciler.run("present")
    assert azure.client.get(azure.app_id, CONTAINER_APPS) is None


def test_working_hours_start_a_replica_without_any_request(azure: Azure) -> None:
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    # The hours lie around the moment of the test.
    now = datetime.now(UTC)
    begin, end = (now - timedelta(hours=1)).strftime("%H:%M"), (now + timedelta(hours=2)).strftime("%H:%M")
    outcome = azure.run(schedule={"timezone": "UTC", "start": begin, "stop": end, "days": days})
    assert outcome.verdict is not None


def test_a_new_storage_key_is_written_though_azure_never_shows_it(azure: Azure) -> None:
    subnet = azure.sandbox.seeds["azure"]["environment_subnet_ids"]["westus3"]
    account = f"{azure.client.group_id('rg-ollama-westus3')}/providers/Microsoft.Storage/storageAccounts/modelsaccount"
    sku = {"location": "westus3", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    azure.client.put(account, "2025-06-01", sku)
    share = f"{account}/fileServices/default/shares/ollama"
    azure.client.put(share, "2025-06-01", {"properties": {"shareQuota": 100}})
    key = azure.client.post(account, "listKeys", "2025-06-01")["keys"][0]["value"]

    def run(account_key: str) -> Outcome:
        storage = {"account_name": "modelsaccount", "share_name": "ollama", "account_key": account_key}
        return azure.run(
            storage={"mode": "volume"}, platform={"storage": storage, "environment": {"subnet_id": subnet}}
        )

    run(key)
    assert not run(key).changed
    changed = run(azure.client.post(account, "regenerateKey", "2025-06-01", {"keyName": "key2"})["keys"][1]["value"])
    assert [(change.key, str(change.action)) for change in changed.plan.acting()] == [
        ("environment_storage", "update"),
        ("app", "update"),
    ]
    assert all(field.secret for field in changed.plan["environment_storage"].fields)

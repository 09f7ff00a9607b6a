# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters, tags, account settings."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from .conftest import REGION, Aws


def test_a_cluster_shows_settings_tags_and_configuration_only_when_included(aws: Aws) -> None:
    aws.ecs.create_cluster(
        clusterName="two",
        settings=[{"name": "containerInsights", "value": "enhanced"}],
        tags=[{"key": "team", "value": "ml"}],
        configuration={"executeCommandConfiguration": {"logging": "DEFAULT"}},
    )
    plain = aws.ecs.describe_clusters(clusters=["two"])["clusters"][0]
    assert (plain["settings"], plain["tags"]) == ([], [])
    assert "configuration" not in plain
    assert plain["capacityProviders"] == plain["defaultCapacityProviderStrategy"] == []
    full = aws.ecs.describe_clusters(clusters=["two"], include=["SETTINGS", "TAGS", "CONFIGURATIONS"])["clusters"][0]
    assert full["settings"] == [{"name": "containerInsights", "value": "enhanced"}]
    assert full["tags"] == [{"key": "team", "value": "ml"}]
    assert full["configuration"] == {"executeCommandConfiguration": {"logging": "DEFAULT"}}


def test_an_unknown_cluster_is_missing_and_a_deleted_one_inactive(aws: Aws) -> None:
    answer = aws.ecs.describe_clusters(clusters=["main", "nope"])
    assert answer["failures"] == [{"arn": f"arn:aws:ecs:{REGION}:123456789012:cluster/nope", "reason": "MISSING"}]
    aws.ecs.delete_cluster(cluster="main")
    assert aws.ecs.describe_clusters(clusters=["main"])["clusters"][0]["status"] == "INACTIVE"
    assert aws.ecs.list_clusters()["clusterArns"] == []
    assert aws.ecs.create_cluster(clusterName="main")["cluster"]["status"] == "ACTIVE"


def test_settings_of_a_cluster_can_be_updated(aws: Aws) -> None:
    enhanced = [{"name": "containerInsights", "value": "enhanced"}]
    assert aws.ecs.update_cluster_settings(cluster="main", settings=enhanced)["cluster"]["settings"] == enhanced
    assert aws.ecs.update_cluster(cluster="main", settings=enhanced)["cluster"]["settings"] == enhanced
    with pytest.raises(ClientError):
        aws.ecs.update_cluster_settings(cluster="main", settings=[{"name": "containerInsights", "value": "x"}])


def test_a_cluster_counts_its_services_and_tasks(aws: Aws) -> None:
    aws.create(aws.register())
    aws.steady()
    cluster = aws.ecs.describe_clusters(clusters=["main"])["clusters"][0]
    assert (cluster["activeServicesCount"], cluster["runningTasksCount"], cluster["pendingTasksCount"]) == (1, 1, 0)


def test_every_kind_of_resource_can_be_tagged(aws: Aws) -> None:
    definition = aws.register(tags=[{"key": "a", "value": "1"}])
    service = aws.create(definition)["serviceArn"]
    aws.steady()
    provider = aws.ecs.describe_capacity_providers(capacityProviders=["gpu"])["capacityProviders"][0]
    cluster = f"arn:aws:ecs:{REGION}:123456789012:cluster/main"
    for arn in (definition, service, cluster, provider["capacityProviderArn"], aws.tasks()[0]["taskArn"]):
        aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b", "value": "3"}])
        aws.ecs.untag_resource(resourceArn=arn, tagKeys=["b"])
        assert aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "2"}]
    with pytest.raises(ClientError) as caught:
        aws.ecs.tag_resource(resourceArn=cluster, tags=[{"key": f"k{n}", "value": ""} for n in range(50)])
    assert "maximum of 50 tags" in caught.value.response["Error"]["Message"]
    with pytest.raises(ClientError):
        aws.ecs.list_tags_for_resource(resourceArn="arn:aws:ecs:elsewhere:123456789012:cluster/main")


def test_account_settings_are_kept(aws: Aws) -> None:
    aws.ecs.put_account_setting_default(name="awsvpcTrunking", value="enabled")
    settings = aws.ecs.list_account_settings(name="awsvpcTrunking")["settings"]
    assert settings == [{"name": "awsvpcTrunking", "value": "enabled"}]

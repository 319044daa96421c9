"""Clusters: their life, their settings, their capacity providers, their tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .account import BAD_REQUEST, container, refused, shell
from .documented import documented

if TYPE_CHECKING:
    from .account import Account

FARGATE = ["FARGATE", "FARGATE_SPOT"]
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}]


@documented("shape:ecs.Cluster.status")
def test_new_cluster_is_active_and_empty(aws: Account) -> None:
    """A new cluster is ACTIVE, with no instance, no task and no service."""
    name = aws.name()
    made = aws.ecs.create_cluster(clusterName=name)["cluster"]
    aws.afterwards("ecs", "delete_cluster", cluster=name)
    assert (made["clusterName"], made["status"]) == (name, "ACTIVE")
    assert made["registeredContainerInstancesCount"] == 0
    assert made["runningTasksCount"] == made["pendingTasksCount"] == 0
    assert made["activeServicesCount"] == 0


@documented("shape:ecs.Cluster.clusterArn")
def test_arn_names_the_cluster(aws: Account) -> None:
    """A cluster's ARN ends with cluster/name."""
    name = aws.cluster()
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert re.fullmatch(rf"arn:aws:ecs:us-east-1:\d{{12}}:cluster/{name}", found["clusterArn"])


@documented("shape:ecs.CreateClusterRequest.clusterName")
def test_name_has_letters_numbers_hyphens_underscores(aws: Account) -> None:
    """A cluster's name with other characters is refused."""
    with refused(*BAD_REQUEST):
        aws.ecs.create_cluster(clusterName="no spaces, please!")


@documented("ecs/API_DescribeClusters")
def test_cluster_is_described_by_arn(aws: Account) -> None:
    """A cluster is described by its name or its ARN."""
    name = aws.cluster()
    by_name = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    by_arn = aws.ecs.describe_clusters(clusters=[by_name["clusterArn"]])["clusters"][0]
    assert by_arn["clusterName"] == name


@documented("ecs-guide/api_failures_messages")
def test_unknown_cluster_is_missing(aws: Account) -> None:
    """Describing a cluster that is not found is a failure with the reason MISSING."""
    answer = aws.ecs.describe_clusters(clusters=[aws.name("nobody")])
    assert answer["clusters"] == []
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]


@documented("ecs/API_ListClusters")
def test_cluster_is_listed(aws: Account) -> None:
    """A cluster is listed by its ARN."""
    name = aws.cluster()
    pages = aws.ecs.get_paginator("list_clusters").paginate()
    arns = [arn for page in pages for arn in page["clusterArns"]]
    assert sum(arn.endswith(f":cluster/{name}") for arn in arns) == 1


@documented("shape:ecs.ListClustersRequest.maxResults")
def test_clusters_come_in_pages(aws: Account) -> None:
    """MaxResults limits a page of clusters, and nextToken leads to the next."""
    names = {aws.cluster() for _ in range(3)}
    paginate = aws.ecs.get_paginator("list_clusters").paginate
    pages = [page["clusterArns"] for page in paginate(PaginationConfig={"PageSize": 1})]
    assert all(len(page) <= 1 for page in pages)
    assert names <= {arn.rpartition("/")[2] for page in pages for arn in page}


@documented("ecs/API_DeleteCluster")
def test_deleted_cluster_is_inactive(aws: Account) -> None:
    """A deleted cluster goes to the state INACTIVE, and takes no task any more."""
    name, definition = aws.cluster(), aws.task_definition()
    assert aws.ecs.delete_cluster(cluster=name)["cluster"]["status"] == "INACTIVE"
    with refused("ClusterNotFoundException", *BAD_REQUEST):
        aws.run(name, definition)


@documented("ecs/API_DeleteCluster")
def test_unknown_cluster_is_not_deleted(aws: Account) -> None:
    """Deleting a cluster that is not found is a ClusterNotFoundException."""
    with refused("ClusterNotFoundException"):
        aws.ecs.delete_cluster(cluster=aws.name("nobody"))


@documented("ecs/API_DeleteCluster")
def test_cluster_with_a_service_is_not_deleted(aws: Account) -> None:
    """Deleting a cluster that contains a service is a ClusterContainsServicesException."""
    cluster = aws.cluster()
    aws.service(cluster, aws.task_definition(), 0)
    with refused("ClusterContainsServicesException"):
        aws.ecs.delete_cluster(cluster=cluster)


@documented("ecs/API_DeleteCluster", runs="tasks")
def test_cluster_with_a_task_is_not_deleted(aws: Account) -> None:
    """Deleting a cluster that has an active task is a ClusterContainsTasksException."""
    cluster = aws.cluster()
    aws.run(cluster, aws.task_definition(container(command=shell("sleep 600"))))
    with refused("ClusterContainsTasksException"):
        aws.ecs.delete_cluster(cluster=cluster)


@documented("ecs/API_ListTasks")
def test_unknown_cluster_has_no_tasks(aws: Account) -> None:
    """Listing the tasks of a cluster that is not found is a ClusterNotFoundException."""
    with refused("ClusterNotFoundException"):
        aws.ecs.list_tasks(cluster=aws.name("nobody"))


@documented("ecs/API_RunTask")
def test_unknown_cluster_runs_no_task(aws: Account) -> None:
    """Running a task in a cluster that is not found is a ClusterNotFoundException."""
    definition = aws.task_definition()
    with refused("ClusterNotFoundException"):
        aws.run(aws.name("nobody"), definition)


@documented("ecs/API_CreateService")
def test_unknown_cluster_has_no_services(aws: Account) -> None:
    """Creating a service in a cluster that is not found is a ClusterNotFoundException."""
    definition = aws.task_definition()
    with refused("ClusterNotFoundException"):
        aws.service(aws.name("nobody"), definition, 0)


@documented("shape:ecs.DescribeClustersRequest.include")
def test_settings_come_when_asked_for(aws: Account) -> None:
    """The settings of a cluster are included if SETTINGS is asked for, and else not."""
    insights = [{"name": "containerInsights", "value": "enabled"}]
    name = aws.cluster(settings=insights)
    describe = aws.ecs.describe_clusters
    assert describe(clusters=[name], include=["SETTINGS"])["clusters"][0]["settings"] == insights
    assert not describe(clusters=[name])["clusters"][0].get("settings")


@documented("ecs/API_UpdateClusterSettings")
def test_settings_can_be_changed(aws: Account) -> None:
    """A cluster's setting containerInsights can be changed."""
    name = aws.cluster()
    off = [{"name": "containerInsights", "value": "disabled"}]
    aws.ecs.update_cluster_settings(cluster=name, settings=off)
    found = aws.ecs.describe_clusters(clusters=[name], include=["SETTINGS"])["clusters"][0]
    assert found["settings"] == off


@documented("shape:ecs.DescribeClustersRequest.include")
def test_tags_come_when_asked_for(aws: Account) -> None:
    """The tags of a cluster are included if TAGS is asked for."""
    tags = [{"key": "stage", "value": "try"}]
    name = aws.cluster(tags=tags)
    found = aws.ecs.describe_clusters(clusters=[name], include=["TAGS"])["clusters"][0]
    assert found["tags"] == tags


@documented("ecs/API_TagResource")
def test_tags_are_added_and_the_others_stay(aws: Account) -> None:
    """TagResource leaves the tags as they are that it does not name."""
    name = aws.cluster(tags=[{"key": "stage", "value": "try"}])
    arn = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]["clusterArn"]
    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "blue"}])
    found = aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert {tag["key"]: tag["value"] for tag in found} == {"stage": "try", "team": "blue"}


@documented("ecs/API_UntagResource")
def test_tags_are_removed_by_key(aws: Account) -> None:
    """UntagResource removes the tags whose keys it names."""
    name = aws.cluster(tags=[{"key": "stage", "value": "try"}, {"key": "team", "value": "blue"}])
    arn = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]["clusterArn"]
    aws.ecs.untag_resource(resourceArn=arn, tagKeys=["stage"])
    found = aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert found == [{"key": "team", "value": "blue"}]


@documented("ecs/API_CreateCluster")
def test_cluster_has_its_capacity_providers(aws: Account) -> None:
    """A cluster can be created with the capacity providers of Fargate and a default strategy."""
    name = aws.cluster(capacityProviders=FARGATE, defaultCapacityProviderStrategy=SPOT)
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert sorted(found["capacityProviders"]) == FARGATE
    [strategy] = found["defaultCapacityProviderStrategy"]
    assert (strategy["capacityProvider"], strategy["weight"]) == ("FARGATE_SPOT", 1)


@documented("ecs/API_PutClusterCapacityProviders")
def test_capacity_providers_that_are_left_out_go(aws: Account) -> None:
    """Capacity providers that PutClusterCapacityProviders omits are disassociated."""
    name = aws.cluster(capacityProviders=FARGATE)
    aws.ecs.put_cluster_capacity_providers(
        cluster=name, capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[]
    )
    found = aws.ecs.describe_clusters(clusters=[name])["clusters"][0]
    assert found["capacityProviders"] == ["FARGATE"]


@documented("shape:ecs.CreateClusterRequest.capacityProviders")
def test_capacity_provider_must_exist(aws: Account) -> None:
    """A capacity provider must be made before it is associated with a cluster."""
    with refused(*BAD_REQUEST):
        aws.cluster(capacityProviders=[aws.name("nobody")])


@documented("ecs/API_DescribeCapacityProviders")
def test_fargate_has_two_capacity_providers(aws: Account) -> None:
    """The capacity providers of Fargate are there in every account, and ACTIVE."""
    found = aws.ecs.describe_capacity_providers(capacityProviders=FARGATE)["capacityProviders"]
    assert sorted(provider["name"] for provider in found) == FARGATE
    assert {provider["status"] for provider in found} == {"ACTIVE"}

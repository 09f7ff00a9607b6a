# Copyright (c) 2026 polycloud.ollama contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of canned AWS pages: N instances for DescribeInstances, N tasks for the ECS calls, half in each region.

All pages are made before the first call, so that an answer costs a dictionary look-up and both sides of a benchmark
wait for their own code. It checks no signature. `python -m benchmarks.canned_aws HOSTS` prints its URL and serves until
it is killed; GET /counts answers the calls so far by operation, DELETE /counts forgets them.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from string import Template
from typing import Any
from urllib.parse import parse_qs

REGIONS = ("us-east-1", "eu-west-1")
ACCOUNT = "123456789012"
# DescribeInstances without MaxResults answers up to 1,000; the ECS calls go up to 100.
INSTANCES_PER_PAGE = 1000
TASKS_PER_PAGE = 100
CLUSTER = "ollama"
DEPLOYMENTS = ("chat", "code", "vision", "embed", "batch")
MODELS = ("gemma3:4b", "qwen3-coder:30b", "llama3.2-vision:11b", "nomic-embed-text:latest", "gpt-oss:20b")
LAUNCHED = "2026-11-20T08:15:30.000Z"
LAUNCHED_SECONDS = 1_795_162_530.125

# One instance as EC2 describes a GPU host of an Auto Scaling group: one volume, one network interface, five tags.
INSTANCE = Template("""<item><reservationId>r-$hex</reservationId><ownerId>123456789012</ownerId><groupSet/>
<requesterId>940372691376</requesterId><instancesSet><item><instanceId>i-$hex</instanceId>
<imageId>ami-0123456789abcdef0</imageId><instanceState><code>16</code><name>running</name></instanceState>
<privateDnsName>ip-$dashed.$region.compute.internal</privateDnsName><dnsName/><reason/><amiLaunchIndex>0</amiLaunchIndex>
<productCodes/><instanceType>g6.xlarge</instanceType><launchTime>$launched</launchTime><placement>
<availabilityZone>${region}a</availabilityZone><availabilityZoneId>use1-az1</availabilityZoneId><groupName/>
<tenancy>default</tenancy></placement><monitoring><state>enabled</state></monitoring>
<subnetId>subnet-0a1b2c3d4e5f60718</subnetId><vpcId>vpc-0a1b2c3d4e5f60718</vpcId>
<privateIpAddress>$ip</privateIpAddress><sourceDestCheck>true</sourceDestCheck><groupSet><item>
<groupId>sg-0a1b2c3d4e5f60718</groupId><groupName>ollama</groupName></item></groupSet>
<architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>
<blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-$hex</volumeId><status>attached</status>
<attachTime>$launched</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>
<virtualizationType>hvm</virtualizationType><clientToken>fleet-$hex-0</clientToken><tagSet>
<item><key>Name</key><value>ollama-$deployment</value></item>
<item><key>aws:autoscaling:groupName</key><value>ollama-gpu-$deployment</value></item>
<item><key>aws:ec2launchtemplate:id</key><value>lt-0a1b2c3d4e5f60718</value></item>
<item><key>aws:ec2launchtemplate:version</key><value>7</value></item>
<item><key>AmazonECSManaged</key><value>true</value></item></tagSet><hypervisor>xen</hypervisor><networkInterfaceSet><item>
<networkInterfaceId>eni-$hex</networkInterfaceId><subnetId>subnet-0a1b2c3d4e5f60718</subnetId>
<vpcId>vpc-0a1b2c3d4e5f60718</vpcId><description/><ownerId>123456789012</ownerId><status>in-use</status>
<macAddress>0a:1b:2c:3d:4e:5f</macAddress><privateIpAddress>$ip</privateIpAddress>
<privateDnsName>ip-$dashed.$region.compute.internal</privateDnsName><sourceDestCheck>true</sourceDestCheck><groupSet><item>
<groupId>sg-0a1b2c3d4e5f60718</groupId><groupName>ollama</groupName></item></groupSet><attachment>
<attachmentId>eni-attach-$hex</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>
<attachTime>$launched</attachTime><deleteOnTermination>true</deleteOnTermination><networkCardIndex>0</networkCardIndex>
</attachment><privateIpAddressesSet><item><privateIpAddress>$ip</privateIpAddress>
<privateDnsName>ip-$dashed.$region.compute.internal</privateDnsName><primary>true</primary></item></privateIpAddressesSet>
<ipv6AddressesSet/><interfaceType>interface</interfaceType><operator><managed>false</managed></operator></item>
</networkInterfaceSet><iamInstanceProfile><arn>arn:aws:iam::123456789012:instance-profile/ollama-host</arn>
<id>AIPA0123456789ABCDEF0</id></iamInstanceProfile><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport>
<cpuOptions><coreCount>2</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions><capacityReservationSpecification>
<capacityReservationPreference>open</capacityReservationPreference></capacityReservationSpecification>
<hibernationOptions><configured>false</configured></hibernationOptions><enclaveOptions><enabled>false</enabled>
</enclaveOptions><metadataOptions><state>applied</state><httpTokens>required</httpTokens>
<httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>
<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions>
<platformDetails>Linux/UNIX</platformDetails><usageOperation>RunInstances</usageOperation>
<usageOperationUpdateTime>$launched</usageOperationUpdateTime><privateDnsNameOptions><hostnameType>ip-name</hostnameType>
<enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>
<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions><maintenanceOptions>
<autoRecovery>default</autoRecovery></maintenanceOptions><bootMode>uefi-preferred</bootMode>
<currentInstanceBootMode>uefi</currentInstanceBootMode><operator><managed>false</managed></operator></item></instancesSet>
</item>""")


def address(index: int) -> str:
    """The private address of the index-th host; both regions repeat them, as private networks do."""
    return f"10.20.{index // 250}.{index % 250 + 1}"


def instance(region: str, index: int) -> str:
    """One reservation with one instance."""
    ip = address(index)
    return INSTANCE.substitute(
        hex=f"{index:017x}"[::-1] if region == REGIONS[0] else f"f{index:016x}"[::-1],
        region=region,
        ip=ip,
        dashed=ip.replace(".", "-"),
        deployment=DEPLOYMENTS[index % len(DEPLOYMENTS)],
        launched=LAUNCHED,
    ).replace("\n", "")


def task_arn(region: str, index: int) -> str:
    """An ARN whose task id looks random, as ECS's do, and is the same in every run."""
    identity = hashlib.blake2s(f"{region}{index}".encode(), digest_size=16).hexdigest()
    return f"arn:aws:ecs:{region}:{ACCOUNT}:task/{CLUSTER}/{identity}"


def definition_arn(region: str, deployment: str) -> str:
    return f"arn:aws:ecs:{region}:{ACCOUNT}:task-definition/{deployment}:7"


def task(region: str, index: int) -> dict[str, Any]:
    """One task as ECS describes it: on EC2, awsvpc, one container, a GPU; with the fields of Task in the API reference.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
    """
    arn, deployment = task_arn(region, index), DEPLOYMENTS[index % len(DEPLOYMENTS)]
    return {
        "attachments": [_attachment(region, index)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": f"{region}a",
        "capacityProviderName": "gpu",
        "clusterArn": f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/{CLUSTER}",
        "connectivity": "CONNECTED",
        "connectivityAt": LAUNCHED_SECONDS,
        "containerInstanceArn": f"arn:aws:ecs:{region}:{ACCOUNT}:container-instance/{CLUSTER}/{index:032x}",
        "containers": [_container(region, index)],
        "cpu": "4096",
        "createdAt": LAUNCHED_SECONDS,
        "desiredStatus": "RUNNING",
        "enableExecuteCommand": False,
        "group": f"service:{deployment}",
        "healthStatus": "HEALTHY",
        "lastStatus": "RUNNING",
        "launchType": "EC2",
        "memory": "16384",
        "overrides": {"containerOverrides": [{"name": "ollama"}], "inferenceAcceleratorOverrides": []},
        "pullStartedAt": LAUNCHED_SECONDS,
        "pullStoppedAt": LAUNCHED_SECONDS,
        "startedAt": LAUNCHED_SECONDS,
        "startedBy": f"ecs-svc/{index % 5:019d}",
        "taskArn": arn,
        "taskDefinitionArn": definition_arn(region, deployment),
        "version": 5,
    }


def _attachment(region: str, index: int) -> dict[str, Any]:
    """The network interface of a task."""
    ip = address(index)
    return {
        "id": f"{index:08x}-0000-4000-8000-000000000000",
        "type": "ElasticNetworkInterface",
        "status": "ATTACHED",
        "details": [
            {"name": "subnetId", "value": "subnet-0a1b2c3d4e5f60718"},
            {"name": "networkInterfaceId", "value": f"eni-{index:017x}"},
            {"name": "macAddress", "value": "0a:1b:2c:3d:4e:5f"},
            {"name": "privateDnsName", "value": f"ip-{ip.replace('.', '-')}.{region}.compute.internal"},
            {"name": "privateIPv4Address", "value": ip},
        ],
    }


def _container(region: str, index: int) -> dict[str, Any]:
    """The server's container of a task."""
    interface = {"attachmentId": f"{index:08x}-0000-4000-8000-000000000000", "privateIpv4Address": address(index)}
    return {
        "containerArn": f"arn:aws:ecs:{region}:{ACCOUNT}:container/{CLUSTER}/{index:032x}/{index:032x}",
        "taskArn": task_arn(region, index),
        "name": "ollama",
        "image": f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/ollama:0.32.15",
        "imageDigest": "sha256:" + "ab" * 32,
        "runtimeId": f"{index:064x}",
        "lastStatus": "RUNNING",
        "networkBindings": [],
        "networkInterfaces": [interface],
        "healthStatus": "HEALTHY",
        "cpu": "0",
        "gpuIds": [f"GPU-{index:08x}-0000-4000-8000-000000000000"],
    }


def task_tags(index: int) -> list[dict[str, str]]:
    """What ECS tags a service's task with, and what its service hands down; answered to C(include=[TAGS]) only."""
    deployment = DEPLOYMENTS[index % len(DEPLOYMENTS)]
    tags = {"aws:ecs:clusterName": CLUSTER, "aws:ecs:serviceName": deployment, "polycloud-deployment": deployment}
    return [{"key": key, "value": value} for key, value in tags.items()]


def _container_definition(region: str, deployment: str) -> dict[str, Any]:
    """The server's container in a task definition."""
    return {
        "name": "ollama",
        "image": f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/ollama:0.32.15",
        "cpu": 0,
        "portMappings": [{"containerPort": 11434, "hostPort": 11434, "protocol": "tcp"}],
        "essential": True,
        "environment": [
            {"name": "OLLAMA_HOST", "value": "0.0.0.0:11434"},
            {"name": "OLLAMA_KEEP_ALIVE", "value": "-1"},
            {"name": "OLLAMA_MODELS", "value": "/models"},
            {"name": "POLYCLOUD_MODELS", "value": MODELS[DEPLOYMENTS.index(deployment)]},
        ],
        "mountPoints": [],
        "volumesFrom": [],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": "/ollama", "awslogs-region": region, "awslogs-stream-prefix": deployment},
        },
        "healthCheck": {
            "command": ["CMD", "ollama", "ps"],
            "interval": 30,
            "timeout": 10,
            "retries": 3,
            "startPeriod": 300,
        },
        "systemControls": [],
        "resourceRequirements": [{"type": "GPU", "value": "1"}],
    }


def definition(region: str, deployment: str) -> dict[str, Any]:
    """DescribeTaskDefinition of a deployment of ours, with its ownership tag."""
    body = {
        "taskDefinitionArn": definition_arn(region, deployment),
        "family": deployment,
        "revision": 7,
        "status": "ACTIVE",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/ollama-execution",
        "taskRoleArn": f"arn:aws:iam::{ACCOUNT}:role/ollama-task",
        "networkMode": "awsvpc",
        "volumes": [],
        "placementConstraints": [],
        "compatibilities": ["EC2", "MANAGED_INSTANCES"],
        "registeredAt": LAUNCHED_SECONDS,
        "requiresCompatibilities": ["EC2"],
        "cpu": "4096",
        "memory": "16384",
        "containerDefinitions": [_container_definition(region, deployment)],
    }
    return {"taskDefinition": body, "tags": [{"key": "polycloud-deployment", "value": deployment}]}


def page_starts(count: int, size: int) -> range:
    """The index of the first item of each page; an empty list still takes one page."""
    return range(0, max(count, 1), size)


def split(hosts: int) -> dict[str, int]:
    """Hosts by region, the first one takes the odd one."""
    first, second = REGIONS
    return {first: hosts - hosts // 2, second: hosts // 2}


def fewest_calls(hosts: int) -> int:
    """The fewest calls that read a fleet: clusters, pages of ids, pages of tasks, each task definition once."""
    counts = split(hosts).values()
    task_pages = sum(len(page_starts(count, TASKS_PER_PAGE)) for count in counts)
    definitions = sum(min(count, len(DEPLOYMENTS)) for count in counts)
    return len(REGIONS) + 2 * task_pages + definitions


def _closing(tags: list[dict[str, str]]) -> bytes:
    """The end of a task's JSON, which depends on what was asked for."""
    return b', "tags": ' + json.dumps(tags).encode() + b"}"


NO_TAGS = _closing([])


class Pages:
    """Every answer for a number of hosts, by region."""

    def __init__(self, hosts: int) -> None:
        self.per_region = split(hosts)
        self._instances = {region: self._reservations(region) for region in REGIONS}
        self._tasks: dict[str, bytes] = {}
        self._tags: dict[str, bytes] = {}
        families = [_closing(task_tags(number)) for number in range(len(DEPLOYMENTS))]
        for region, count in self.per_region.items():
            for index in range(count):
                arn = task_arn(region, index)
                self._tasks[arn] = json.dumps(task(region, index)).encode()[:-1]
                self._tags[arn] = families[index % len(DEPLOYMENTS)]

    def answer(self, region: str, operation: str, request: dict[str, Any]) -> bytes:
        """The body of an answer. Raises KeyError for an operation that no side is known to need."""
        answers = {
            "DescribeInstances": self._describe_instances,
            "ListClusters": self._list_clusters,
            "ListTasks": self._list_tasks,
            "DescribeTasks": self._describe_tasks,
            "DescribeTaskDefinition": self._describe_definition,
        }
        return answers[operation](region, request)

    def _reservations(self, region: str) -> list[bytes]:
        count = self.per_region[region]
        pages = []
        for start in page_starts(count, INSTANCES_PER_PAGE):
            end = min(start + INSTANCES_PER_PAGE, count)
            items = "".join(instance(region, index) for index in range(start, end))
            token = f"<nextToken>{end}</nextToken>" if end < count else ""
            pages.append(
                '<?xml version="1.0" encoding="UTF-8"?>'
                '<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
                f"<requestId>canned</requestId><reservationSet>{items}</reservationSet>{token}"
                "</DescribeInstancesResponse>".encode()
            )
        return pages

    def _describe_instances(self, region: str, request: dict[str, Any]) -> bytes:
        return self._instances[region][int(request.get("NextToken", 0)) // INSTANCES_PER_PAGE]

    def _list_clusters(self, region: str, request: dict[str, Any]) -> bytes:
        return json.dumps({"clusterArns": [f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/{CLUSTER}"]}).encode()

    def _list_tasks(self, region: str, request: dict[str, Any]) -> bytes:
        start, count = int(request.get("nextToken", 0)), self.per_region[region]
        end = min(start + min(int(request.get("maxResults", TASKS_PER_PAGE)), TASKS_PER_PAGE), count)
        body: dict[str, Any] = {"taskArns": [task_arn(region, index) for index in range(start, end)]}
        return json.dumps(body | ({"nextToken": str(end)} if end < count else {})).encode()

    def _describe_tasks(self, region: str, request: dict[str, Any]) -> bytes:
        tagged = "TAGS" in request.get("include", ())
        found = b",".join(self._tasks[arn] + (self._tags[arn] if tagged else NO_TAGS) for arn in request["tasks"])
        return b'{"failures":[],"tasks":[' + found + b"]}"

    def _describe_definition(self, region: str, request: dict[str, Any]) -> bytes:
        deployment = request["taskDefinition"].rpartition("/")[2].partition(":")[0]
        return json.dumps(definition(region, deployment)).encode()


class Handler(BaseHTTPRequestHandler):
    """Finds the canned answer and counts the call."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    pages: Pages
    counts: Counter[str] = Counter()
    lock = threading.Lock()

    def do_POST(self) -> None:
        """Answer an AWS call: the JSON protocol names its operation in a header, the query protocol in the body."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        scope = re.search(r"Credential=[^/]+/\d+/([\w-]+)/", self.headers.get("Authorization", ""))
        target = self.headers.get("X-Amz-Target", "")
        if target:
            operation, request = target.rpartition(".")[2], json.loads(body)
        else:
            request = {key: values[0] for key, values in parse_qs(body.decode()).items()}
            operation = request.get("Action", "")
        with self.lock:
            self.counts[operation] += 1
        try:
            answer = self.pages.answer(scope[1] if scope else "", operation, request)
        except KeyError as error:
            self._send(400, f"no canned answer for {operation}: {error}".encode(), "text/plain")
        else:
            self._send(200, answer, "application/x-amz-json-1.1" if target else "text/xml;charset=UTF-8")

    def do_GET(self) -> None:
        """GET /counts."""
        with self.lock:
            self._send(200, json.dumps(self.counts).encode(), "application/json")

    def do_DELETE(self) -> None:
        """DELETE /counts."""
        with self.lock:
            self.counts.clear()
        self._send(200, b"{}", "application/json")

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the counts are the log."""

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve on a free loopback port until the parent kills us."""
    Handler.pages = Pages(int(sys.argv[1]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

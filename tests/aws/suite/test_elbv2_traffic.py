"""Listeners that answer over HTTP, targets that are checked, targets that leave."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .account import APP_PORT, container, fixed, forward
from .documented import documented

if TYPE_CHECKING:
    from .account import Account, Json

QUICK = {
    "HealthCheckIntervalSeconds": 5,
    "HealthCheckTimeoutSeconds": 2,
    "HealthyThresholdCount": 2,
    "UnhealthyThresholdCount": 2,
    "HealthCheckPath": "/health",
}
SECONDS = 60


def add(aws: Account, listener: Json, priority: int, condition: Json, action: Json) -> None:
    aws.elbv2.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=priority,
        Conditions=[condition],
        Actions=[action],
    )


def path(pattern: str) -> Json:
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": [pattern]}}


def group(aws: Account, delay: int = 1, **settings: object) -> str:
    made = aws.target_group(**(QUICK | settings))
    short = {"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}
    aws.elbv2.modify_target_group_attributes(TargetGroupArn=made, Attributes=[short])
    return made


def behind(aws: Account, target_group: str, count: int = 1, **settings: object) -> tuple[str, str]:
    """Run the application as a service behind a target group; give cluster and service."""
    cluster = aws.cluster()
    web = container(portMappings=[{"containerPort": APP_PORT}], stopTimeout=5, **settings)
    there = {
        "targetGroupArn": target_group,
        "containerName": "app",
        "containerPort": APP_PORT,
    }
    service = aws.service(cluster, aws.task_definition(web), count, loadBalancers=[there])
    return cluster, service


def states(aws: Account, target_group: str) -> list[str]:
    return sorted(found["TargetHealth"]["State"] for found in aws.health(target_group))


@documented("elbv2/API_FixedResponseActionConfig", runs="listener")
def test_listener_answers_itself(aws: Account) -> None:
    """The action fixed-response answers with its status, its type and its text."""
    balancer = aws.balancer()
    answer = aws.ask(balancer, aws.listener(balancer, fixed("out of order", "503")))
    assert (answer.status_code, answer.text) == (503, "out of order")
    assert answer.headers["Content-Type"].startswith("text/plain")


@documented("elbv2/API_RedirectActionConfig", runs="listener")
def test_listener_redirects(aws: Account) -> None:
    """The action redirect answers 301 with the new address, and keeps path and query."""
    away = {"Host": "example.com", "Port": "443", "Protocol": "HTTPS", "StatusCode": "HTTP_301"}
    balancer = aws.balancer()
    listener = aws.listener(balancer, {"Type": "redirect", "RedirectConfig": away})
    answer = aws.ask(balancer, listener, "/a?b=c")
    assert answer.status_code == 301
    assert answer.headers["Location"] == "https://example.com:443/a?b=c"


@documented("elbv2/API_PathPatternConditionConfig", runs="listener")
def test_path_chooses_the_rule(aws: Account) -> None:
    """A rule's action is done if the path matches its pattern, else the default's."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, fixed("default"))
    add(aws, listener, 1, path("/img/*"), fixed("images"))
    assert aws.ask(balancer, listener, "/img/1.png").text == "images"
    assert aws.ask(balancer, listener, "/index.html").text == "default"


@documented("elbv2/API_CreateRule", runs="listener")
def test_lowest_priority_comes_first(aws: Account) -> None:
    """Rules are looked at from the lowest priority's value to the highest."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, fixed("default"))
    add(aws, listener, 20, path("/a/b"), fixed("second"))
    add(aws, listener, 10, path("/a/*"), fixed("first"))
    assert aws.ask(balancer, listener, "/a/b").text == "first"


@documented("elbv2/API_HostHeaderConditionConfig", runs="listener")
def test_host_chooses_the_rule(aws: Account) -> None:
    """A rule can go by the host name that the client asks for, whatever its case."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, fixed("default"))
    values = {"Values": ["shop.example.com"]}
    add(aws, listener, 1, {"Field": "host-header", "HostHeaderConfig": values}, fixed("shop"))
    assert aws.ask(balancer, listener, Host="Shop.Example.com").text == "shop"
    assert aws.ask(balancer, listener).text == "default"


@documented("elbv2/API_HttpHeaderConditionConfig", runs="listener")
def test_header_chooses_the_rule(aws: Account) -> None:
    """A rule can go by the value of a header."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, fixed("default"))
    config = {"HttpHeaderName": "X-Stage", "Values": ["try*"]}
    add(aws, listener, 1, {"Field": "http-header", "HttpHeaderConfig": config}, fixed("try"))
    assert aws.ask(balancer, listener, **{"X-Stage": "try-2"}).text == "try"
    assert aws.ask(balancer, listener, **{"X-Stage": "real"}).text == "default"


@documented("elbv2/API_QueryStringConditionConfig", runs="listener")
def test_query_chooses_the_rule(aws: Account) -> None:
    """A rule can go by a key and a value of the query string."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, fixed("default"))
    config = {"Values": [{"Key": "version", "Value": "2"}]}
    add(aws, listener, 1, {"Field": "query-string", "QueryStringConfig": config}, fixed("two"))
    assert aws.ask(balancer, listener, "/?version=2").text == "two"
    assert aws.ask(balancer, listener, "/?version=1").text == "default"


@documented("elbv2/API_ModifyListener", runs="listener")
def test_default_action_can_be_changed(aws: Account) -> None:
    """After ModifyListener the new default action is done."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, fixed("before"))
    assert aws.ask(balancer, listener).text == "before"
    aws.elbv2.modify_listener(ListenerArn=listener["ListenerArn"], DefaultActions=[fixed("after")])
    aws.until(lambda: aws.ask(balancer, listener).text == "after", "the new action")


@documented("elbv2-guide/load-balancer-troubleshooting#http-503-issues", runs="listener")
def test_no_target_is_503(aws: Account) -> None:
    """A target group without registered targets answers 503."""
    balancer = aws.balancer()
    listener = aws.listener(balancer, forward(group(aws)))
    assert aws.ask(balancer, listener).status_code == 503


@documented("elbv2/API_DescribeTargetHealth", runs="listener")
def test_target_that_does_not_answer_is_unhealthy(aws: Account) -> None:
    """A target is initial first, and unhealthy when its checks have failed."""
    balancer, targets = aws.balancer(), group(aws)
    aws.listener(balancer, forward(targets))
    [subnet] = aws.ec2.describe_subnets(SubnetIds=aws.subnets(1))["Subnets"]
    nobody = f"{subnet['CidrBlock'].rpartition('.')[0]}.251"
    aws.elbv2.register_targets(TargetGroupArn=targets, Targets=[{"Id": nobody}])
    assert states(aws, targets) == ["initial"]
    aws.until(lambda: states(aws, targets) == ["unhealthy"], "target unhealthy", SECONDS)
    [found] = aws.health(targets)
    assert found["TargetHealth"]["Reason"] in {"Target.Timeout", "Target.FailedHealthChecks"}


@documented("ecs-guide/service-load-balancing", runs="tasks")
def test_tasks_of_a_service_are_registered(aws: Account) -> None:
    """A service registers its tasks with the target group, by their addresses."""
    targets = group(aws)
    aws.listener(aws.balancer(), forward(targets))
    cluster, service = behind(aws, targets, 2)
    aws.until(lambda: len(aws.health(targets)) == 2, "two targets", SECONDS)
    tasks = [aws.task(cluster, arn) for arn in aws.tasks_of(cluster, service)]
    own = {task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"] for task in tasks}
    assert {found["Target"]["Id"] for found in aws.health(targets)} == own


@documented("ecs-guide/service-event-messages-list", runs="tasks")
def test_events_say_that_targets_were_registered(aws: Account) -> None:
    """The events say that the service has registered targets in the target group."""
    targets = group(aws)
    aws.listener(aws.balancer(), forward(targets))
    cluster, service = behind(aws, targets)
    assert aws.said(cluster, service, r"registered 1 targets in \(target-group ", SECONDS)


@documented("elbv2/API_DescribeTargetHealth", runs="tasks")
def test_target_that_answers_becomes_healthy(aws: Account) -> None:
    """A target that answers its health checks becomes healthy, and boto3's waiter ends."""
    targets = group(aws)
    aws.listener(aws.balancer(), forward(targets))
    behind(aws, targets)
    aws.until(lambda: aws.health(targets), "a target", SECONDS)
    waiter = aws.elbv2.get_waiter("target_in_service")
    waiter.wait(TargetGroupArn=targets, WaiterConfig={"Delay": 1, "MaxAttempts": SECONDS})
    assert states(aws, targets) == ["healthy"]


@documented("elbv2-guide/load-balancer-target-groups", runs="tasks")
def test_request_is_answered_by_a_task(aws: Account) -> None:
    """A listener that forwards gives the answer of a target."""
    balancer, targets = aws.balancer(), group(aws)
    listener = aws.listener(balancer, forward(targets))
    behind(aws, targets, environment=[{"name": "GREETING", "value": "from a task"}])
    aws.until(lambda: states(aws, targets) == ["healthy"], "target healthy", SECONDS)
    assert aws.ask(balancer, listener).json()["message"] == "from a task"


@documented("elbv2-guide/load-balancer-target-groups#modify-routing-algorithm", runs="tasks")
def test_requests_go_round_the_targets(aws: Account) -> None:
    """By default requests go round the healthy targets, so that each has its share."""
    balancer, targets = aws.balancer(), group(aws)
    listener = aws.listener(balancer, forward(targets))
    behind(aws, targets, 2)
    aws.until(lambda: states(aws, targets) == ["healthy"] * 2, "targets healthy", SECONDS)
    hosts = [aws.ask(balancer, listener).json()["host"] for _ in range(10)]
    # Each node of a load balancer goes round for itself, so the halves need not be equal.
    shares = [hosts.count(host) for host in set(hosts)]
    assert len(shares) == 2
    assert min(shares) >= 3


@documented("elbv2/API_TargetGroupTuple", runs="tasks")
def test_weights_share_the_requests(aws: Account) -> None:
    """With two target groups, a group of the weight 0 gets no request."""
    balancer, first, second = aws.balancer(), group(aws), group(aws)
    both = [
        {"TargetGroupArn": first, "Weight": 0},
        {"TargetGroupArn": second, "Weight": 1},
    ]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": both}}
    listener = aws.listener(balancer, action)
    behind(aws, first, environment=[{"name": "GREETING", "value": "first"}])
    behind(aws, second, environment=[{"name": "GREETING", "value": "second"}])
    for targets in (first, second):
        aws.until(lambda: states(aws, targets) == ["healthy"], "healthy", SECONDS)  # noqa: B023
    said = {aws.ask(balancer, listener).json()["message"] for _ in range(10)}
    assert said == {"second"}


@documented("elbv2-guide/x-forwarded-headers", runs="tasks")
def test_target_learns_who_asked(aws: Account) -> None:
    """The load balancer adds the headers X-Forwarded-For, -Proto and -Port."""
    script = (
        "import http.server\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        names = ('X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Port')\n"
        "        text = '|'.join(self.headers.get(n, '') for n in names).encode()\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', str(len(text)))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(text)\n"
        "http.server.HTTPServer(('', 8080), H).serve_forever()\n"
    )
    balancer, targets = aws.balancer(), group(aws)
    listener = aws.listener(balancer, forward(targets))
    behind(aws, targets, command=["python3", "-c", script])
    aws.until(lambda: states(aws, targets) == ["healthy"], "target healthy", SECONDS)
    client, protocol, port = aws.ask(balancer, listener).text.split("|")
    assert client
    assert (protocol, port) == ("http", str(listener["Port"]))


@documented("elbv2/API_DeregisterTargets", runs="tasks")
def test_deregistering_target_drains(aws: Account) -> None:
    """A target that was deregistered is draining, and then it is gone."""
    balancer, targets = aws.balancer(), group(aws, delay=3)
    aws.listener(balancer, forward(targets))
    cluster, service = behind(aws, targets)
    aws.until(lambda: states(aws, targets) == ["healthy"], "target healthy", SECONDS)
    aws.ecs.update_service(cluster=cluster, service=service, desiredCount=0)
    aws.until(lambda: states(aws, targets) == ["draining"], "target draining")
    aws.until(lambda: aws.health(targets) == [], "no target left", SECONDS)


@documented("elbv2-guide/edit-target-group-attributes#deregistration-delay", runs="tasks")
def test_request_under_way_is_finished_while_draining(aws: Account) -> None:
    """A request that is under way when its target is deregistered gets its answer."""
    script = (
        "import http.server, threading, time\n"
        "busy = threading.Event()\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        if self.path == '/slow':\n"
        "            busy.set()\n"
        "            time.sleep(4)\n"
        "        text = b'busy' if self.path == '/busy' and busy.is_set() else b'done'\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', '4')\n"
        "        self.end_headers()\n"
        "        self.wfile.write(text)\n"
        "http.server.ThreadingHTTPServer(('', 8080), H).serve_forever()\n"
    )
    balancer, targets = aws.balancer(), group(aws, delay=10)
    listener = aws.listener(balancer, forward(targets))
    cluster, service = behind(aws, targets, command=["python3", "-c", script])
    aws.until(lambda: states(aws, targets) == ["healthy"], "target healthy", SECONDS)
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        answer = aws.ask(balancer, listener, "/slow")
        answers.append((answer.status_code, answer.text))

    slow = threading.Thread(target=ask)
    slow.start()
    aws.until(lambda: aws.ask(balancer, listener, "/busy").text == "busy", "a request under way")
    aws.ecs.update_service(cluster=cluster, service=service, desiredCount=0)
    slow.join(timeout=30)
    assert answers == [(200, "done")]


@documented("ecs-guide/service-load-balancing", runs="tasks")
def test_task_that_fails_its_checks_is_replaced(aws: Account) -> None:
    """A service replaces a task that its load balancer finds unhealthy."""
    targets = group(aws)
    balancer = aws.balancer()
    listener = aws.listener(balancer, forward(targets))
    cluster, service = behind(aws, targets)
    aws.until(lambda: states(aws, targets) == ["healthy"], "target healthy", SECONDS)
    [first] = aws.tasks_of(cluster, service)
    assert aws.ask(balancer, listener, "/unhealthy", method="POST").status_code == 200
    task = aws.reached(cluster, first, "STOPPED", SECONDS)
    assert "failed ELB health checks" in task["stoppedReason"]
    assert task["stopCode"] == "ServiceSchedulerInitiated"


@documented("ecs/API_UpdateService", runs="tasks")
def test_no_request_is_lost_in_a_deployment(aws: Account) -> None:
    """At 100 percent, old tasks answer until new ones are healthy, and none answers badly."""
    balancer, targets = aws.balancer(), group(aws, delay=2)
    listener = aws.listener(balancer, forward(targets))
    cluster, service = behind(aws, targets, environment=[{"name": "VERSION", "value": "1"}])
    aws.until(lambda: states(aws, targets) == ["healthy"], "target healthy", SECONDS)
    new = container(
        portMappings=[{"containerPort": APP_PORT}],
        environment=[{"name": "VERSION", "value": "2"}],
        stopTimeout=5,
    )
    definition = aws.task_definition(new)
    aws.ecs.update_service(cluster=cluster, service=service, taskDefinition=definition)
    seen: list[str] = []

    def is_new() -> bool:
        answer = aws.ask(balancer, listener)
        assert answer.status_code == 200
        seen.append(answer.json()["version"])
        return seen[-10:] == ["2"] * 10

    aws.until(is_new, "ten answers of version 2", 2 * SECONDS)
    assert seen[0] == "1"
    aws.steady(cluster, service, SECONDS)

"""Requests through a listener to real servers: what arrives, what comes back, what goes wrong."""

from __future__ import annotations

import gzip
import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from .conftest import Server, fixed, forward, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Handler, Region

Json = dict[str, Any]


def path(pattern: str) -> list[Json]:
    return [{"Field": "path-pattern", "Values": [pattern]}]


@pytest.fixture
def balancer(region: Region) -> Json:
    return region.balancer()


@pytest.fixture
def group(region: Region) -> str:
    return region.group()


@pytest.fixture
def url(region: Region, balancer: Json, group: str) -> str:
    port = region.listener(balancer, forward(group))["Port"]
    return f"http://127.0.0.1:{port}"


def get(url: str, **options: Any) -> requests.Response:  # noqa: ANN401
    return requests.get(url, timeout=10, allow_redirects=False, **options)


# --- what goes wrong -------------------------------------------------------------------------


def test_no_target_is_503(url: str) -> None:
    answer = get(url)
    assert answer.status_code == 503
    assert answer.headers["Server"] == "awselb/2.0"
    assert "<h1>503 Service Temporarily Unavailable</h1>" in answer.text


def test_group_that_is_deleted_under_way_is_not_asked(region: Region, balancer: Json) -> None:
    group = region.group("other")
    listener = region.listener(balancer, forward(group))
    assert region.refused("DeleteTargetGroup", TargetGroupArn=group).code == "ResourceInUse"
    region.ask("DeleteListener", ListenerArn=listener["ListenerArn"])
    with pytest.raises(requests.ConnectionError):
        get(f"http://127.0.0.1:{listener['Port']}")


def test_nobody_can_be_connected_to_is_502(region: Region, group: str, url: str) -> None:
    server = region.target(group)
    server.end()
    assert get(url).status_code == 502
    assert "502 Bad Gateway" in get(url).text


def test_target_that_refuses_the_connection_is_passed_over(
    region: Region, group: str, url: str
) -> None:
    gone, there = region.target(group, 10), region.target(group, 11)
    gone.end()
    for number in range(10):
        answer = requests.post(url, data=f"order {number}", timeout=10)
        assert (answer.status_code, answer.text) == (200, "target 11")
    assert [body for _, _, _, body in there.asked] == [b"order %d" % n for n in range(10)]


def cut(one: Handler) -> None:
    """End the connection without an answer."""
    one.connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_request_that_has_arrived_is_not_sent_again(
    region: Region, group: str, url: str, method: str
) -> None:
    first, second = region.target(group, 10), region.target(group, 11)
    first.answer = second.answer = cut
    assert requests.request(method, url, timeout=10).status_code == 502
    assert len(first.asked) + len(second.asked) == 1


def test_half_an_answer_does_not_look_whole(region: Region, group: str, url: str) -> None:
    def half(one: Handler) -> None:
        one.send_response(200)
        one.send_header("Transfer-Encoding", "chunked")
        one.end_headers()
        one.wfile.write(b"4\r\nhalf\r\n")
        one.wfile.flush()
        cut(one)

    region.target(group).answer = half
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(url)


def test_answer_that_is_no_http_is_502(region: Region, group: str, url: str) -> None:
    def mumble(one: Handler) -> None:
        one.wfile.write(b"what?\r\n\r\n")
        cut(one)

    region.target(group).answer = mumble
    assert get(url).status_code == 502


def test_target_that_says_nothing_is_504(
    region: Region, balancer: Json, group: str, url: str
) -> None:
    idle = [{"Key": "idle_timeout.timeout_seconds", "Value": "1"}]
    arn = balancer["LoadBalancerArn"]
    region.ask("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=idle)
    leave = threading.Event()
    region.target(group).answer = lambda _one: (leave.wait(10), None)[1]
    answer = get(url)
    leave.set()
    assert answer.status_code == 504
    assert "504 Gateway Time-out" in answer.text


def test_client_that_goes_away_takes_its_request_along(
    region: Region, group: str, url: str
) -> None:
    arrived, leave = threading.Event(), threading.Event()

    def wait(one: Handler) -> None:
        arrived.set()
        leave.wait(10)
        one.send(200, b"late")

    region.target(group).answer = wait
    client = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert arrived.wait(10)
    [target] = region.elb.target_groups[group].targets.values()
    assert len(target.under_way) == 1
    client.close()
    region.until(lambda: not target.under_way, "nothing under way")
    leave.set()


def test_malformed_request_is_400(url: str) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(b"hello\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 400")


# --- what arrives and comes back -------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_method_path_and_body_arrive(region: Region, group: str, url: str, method: str) -> None:
    server = region.target(group)
    body = b"" if method in ("GET", "HEAD") else b"a body"
    answer = requests.request(method, f"{url}/a%2Fb/../c?d=%20e&d=f", data=body, timeout=10)
    [(said, where, headers, read)] = server.asked
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == str(len("target 10"))
    assert (said, read) == (method, body)
    assert where == requests.Request(method, f"{url}/a%2Fb/../c?d=%20e&d=f").prepare().path_url
    assert headers["Host"] == url.removeprefix("http://")


def test_path_is_passed_on_as_it_is(region: Region, group: str, url: str) -> None:
    server = region.target(group)
    client = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=10)
    for where in ("/a//b/./c/../d%2f?x=%41&y", "/%7Euser"):
        client.request("GET", where)
        client.getresponse().read()
        assert server.asked.pop()[1] == where
    client.close()


def test_target_learns_who_asks(region: Region, group: str, url: str) -> None:
    server = region.target(group)
    get(url, headers={"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Own": "1"})
    [(_, _, headers, _)] = server.asked
    assert headers["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["X-Forwarded-Port"] == url.rpartition(":")[2]
    assert headers["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert headers["X-Own"] == "1"


def test_who_asked_before_can_be_left_as_it_is(
    region: Region, balancer: Json, group: str, url: str
) -> None:
    server = region.target(group)
    for mode, arrives in (("preserve", "192.0.2.1"), ("remove", None)):
        change = [{"Key": "routing.http.xff_header_processing.mode", "Value": mode}]
        arn = balancer["LoadBalancerArn"]
        region.ask("ModifyLoadBalancerAttributes", LoadBalancerArn=arn, Attributes=change)
        get(url, headers={"X-Forwarded-For": "192.0.2.1"})
        assert server.asked.pop()[2].get("X-Forwarded-For") == arrives


def test_body_of_unknown_length_arrives(region: Region, group: str, url: str) -> None:
    server = region.target(group)

    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * 100_000

    assert requests.post(url, data=pieces(), timeout=30).status_code == 200
    assert len(server.asked[0][3]) == 5_000_000


def test_compressed_answer_is_passed_on_as_it_is(region: Region, group: str, url: str) -> None:
    packed = gzip.compress(b"hello" * 100)
    region.target(group).answer = lambda one: one.send(200, packed, Content_Encoding="gzip")
    with get(url, stream=True) as answer:
        assert answer.raw.read(decode_content=False) == packed


def test_headers_of_the_answer_come_back(region: Region, group: str, url: str) -> None:
    def two_cookies(one: Handler) -> None:
        one.send_response(404, "Nobody")
        one.send_header("Set-Cookie", "a=1")
        one.send_header("Set-Cookie", "b=2")
        one.send_header("Content-Length", "0")
        one.end_headers()

    region.target(group).answer = two_cookies
    answer = get(url)
    assert (answer.status_code, answer.reason) == (404, "Nobody")
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["Server"].startswith("BaseHTTP")
    assert get(url).request.headers.get("Cookie") is None


def test_answer_comes_piece_by_piece(region: Region, group: str, url: str) -> None:
    go_on = threading.Event()

    def slowly(one: Handler) -> None:
        one.send_response(200)
        one.send_header("Transfer-Encoding", "chunked")
        one.end_headers()
        one.wfile.write(b"5\r\nfirst\r\n")
        one.wfile.flush()
        go_on.wait(10)
        one.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")

    region.target(group).answer = slowly
    with get(url, stream=True) as answer:
        pieces = answer.iter_content(chunk_size=None)
        assert next(pieces) == b"first"
        go_on.set()
        assert b"".join(pieces) == b"last"


def test_large_body_is_asked_for(region: Region, group: str, url: str) -> None:
    server = region.target(group)
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10) as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(b"hello")
        assert b"200 OK" in client.recv(1000)
    assert server.asked[0][3] == b"hello"


def test_connections_to_a_target_are_kept(region: Region, group: str, url: str) -> None:
    server = region.target(group)
    for _ in range(10):
        get(url)
    assert len(server.connections) == 1


def test_kept_connection_that_the_target_closes_loses_nothing(
    region: Region, group: str, url: str
) -> None:
    server = region.target(group)

    def hang_up(one: Handler) -> None:
        one.send(200, b"bye")
        one.close_connection = True

    server.answer = hang_up
    assert [get(url).status_code for _ in range(50)] == [200] * 50


def test_many_at_once(region: Region, group: str, url: str) -> None:
    servers = [region.target(group, number) for number in (10, 11)]
    statuses: list[int] = []

    def ask() -> None:
        statuses.extend(get(url).status_code for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * 200
    assert [len(server.asked) for server in servers] == [100, 100]


# --- rules -----------------------------------------------------------------------------------


def test_rules_are_followed_by_priority_and_changed(region: Region, balancer: Json) -> None:
    listener = region.listener(balancer, fixed("default"))
    url, arn = f"http://127.0.0.1:{listener['Port']}", listener["ListenerArn"]
    rules = [
        region.ask(
            "CreateRule",
            ListenerArn=arn,
            Priority=priority,
            Conditions=path("/a*"),
            Actions=[fixed(text)],
        )["Rules"][0]["RuleArn"]
        for priority, text in ((2, "two"), (1, "one"))
    ]
    assert get(f"{url}/a").text == "one"
    swap = [{"RuleArn": rules[0], "Priority": 1}, {"RuleArn": rules[1], "Priority": 2}]
    region.ask("SetRulePriorities", RulePriorities=swap)
    assert get(f"{url}/a").text == "two"
    region.ask("DeleteRule", RuleArn=rules[0])
    assert get(f"{url}/a").text == "one"
    region.ask("ModifyRule", RuleArn=rules[1], Conditions=path("/b*"))
    assert get(f"{url}/a").text == "default"


@pytest.mark.parametrize(
    ("config", "location"),
    [
        ({"Port": "81"}, "http://a.example.com:81/x/y?z=1"),
        ({"Path": "/new/#{path}"}, "http://a.example.com:{port}/new/x/y?z=1"),
        (
            {"Host": "b.#{host}", "Query": "from=#{port}&#{query}"},
            "http://b.a.example.com:{port}/x/y?from={port}&z=1",
        ),
        (
            {"Protocol": "HTTPS", "Port": "443", "Query": ""},
            "https://a.example.com:443/x/y",
        ),
    ],
)
def test_redirect_keeps_what_it_does_not_change(
    region: Region, balancer: Json, config: dict[str, str], location: str
) -> None:
    config = {"StatusCode": "HTTP_302"} | config
    listener = region.listener(balancer, {"Type": "redirect", "RedirectConfig": config})
    port = listener["Port"]
    answer = get(f"http://127.0.0.1:{port}/x/y?z=1", headers={"Host": "a.example.com"})
    assert answer.status_code == 302
    assert answer.headers["Location"] == location.replace("{port}", str(port))


def test_fixed_response_has_its_type(region: Region, balancer: Json) -> None:
    action = fixed('{"a": 1}', "201", ContentType="application/json")
    listener = region.listener(balancer, action)
    answer = get(f"http://127.0.0.1:{listener['Port']}")
    assert (answer.status_code, answer.json()) == (201, {"a": 1})
    assert answer.headers["Content-Type"].startswith("application/json")
    empty = region.listener(
        balancer, {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "204"}}
    )
    assert get(f"http://127.0.0.1:{empty['Port']}").status_code == 204


def test_weights_share_the_requests(region: Region, balancer: Json) -> None:
    groups = {name: region.group(name) for name in ("old", "new")}
    weights = {"old": 9, "new": 1}
    both = [{"TargetGroupArn": groups[name], "Weight": w} for name, w in weights.items()]
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": both}}
    listener = region.listener(balancer, action)
    servers = {name: region.target(groups[name], number) for number, name in enumerate(groups, 10)}
    for _ in range(20):
        get(f"http://127.0.0.1:{listener['Port']}")
    assert {name: len(server.asked) for name, server in servers.items()} == {"old": 18, "new": 2}


def test_listener_moves_to_another_port(region: Region, balancer: Json) -> None:
    listener, port = region.listener(balancer, fixed("hello")), free_port()
    region.ask("ModifyListener", ListenerArn=listener["ListenerArn"], Port=port)
    assert get(f"http://127.0.0.1:{port}").text == "hello"
    with pytest.raises(requests.ConnectionError):
        get(f"http://127.0.0.1:{listener['Port']}")


def test_listener_is_reached_from_this_machine_only(region: Region, balancer: Json) -> None:
    port = region.listener(balancer, fixed("hello"))["Port"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), 5)


def test_dns_name_leads_to_the_listener(region: Region, balancer: Json) -> None:
    port = region.listener(balancer, fixed("hello"))["Port"]
    assert get(f"http://{balancer['DNSName']}:{port}").text == "hello"


# --- targets that leave ----------------------------------------------------------------------


def slow(arrived: threading.Event, leave: threading.Event) -> Any:  # noqa: ANN401
    def answer(one: Handler) -> None:
        arrived.set()
        leave.wait(10)
        one.send(200, b"done")

    return answer


def test_target_that_leaves_finishes_what_it_has(region: Region, group: str, url: str) -> None:
    region.attributes(group, deregistration_delay__timeout_seconds="5")
    leaving, arrived, leave = region.target(group, 10), threading.Event(), threading.Event()
    leaving.answer = slow(arrived, leave)
    answers: list[requests.Response] = []
    client = threading.Thread(target=lambda: answers.append(get(url)))
    client.start()
    assert arrived.wait(10)
    staying = region.target(group, 11)
    address = region.address(10)
    region.ask("DeregisterTargets", TargetGroupArn=group, Targets=[{"Id": address}])
    assert region.health(group, address) == {
        "State": "draining",
        "Reason": "Target.DeregistrationInProgress",
        "Description": "Target deregistration is in progress",
    }
    assert [get(url).text for _ in range(4)] == ["target 11"] * 4
    leave.set()
    client.join(10)
    assert [answer.text for answer in answers] == ["done"]
    assert len(leaving.asked) == 1
    assert len(staying.asked) == 4
    # The delay passes to its end, although nothing is under way any more.
    assert region.health(group, address)["State"] == "draining"
    region.until(
        lambda: region.health(group, address).get("Reason") == "Target.NotRegistered", "gone"
    )


def test_request_that_takes_longer_than_the_delay_is_502(
    region: Region, group: str, url: str
) -> None:
    region.attributes(group, deregistration_delay__timeout_seconds="1")
    arrived, leave = threading.Event(), threading.Event()
    region.target(group).answer = slow(arrived, leave)
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(get(url).status_code))
    client.start()
    assert arrived.wait(10)
    begun = time.monotonic()
    targets = [{"Id": region.address(10)}]
    region.ask("DeregisterTargets", TargetGroupArn=group, Targets=targets)
    assert get(url).status_code == 503
    client.join(10)
    leave.set()
    assert answers == [502]
    assert time.monotonic() - begun < 5


def test_target_that_comes_back_is_a_new_one(region: Region, group: str, url: str) -> None:
    server = region.target(group)
    targets = [{"Id": region.address(10)}]
    region.ask("DeregisterTargets", TargetGroupArn=group, Targets=targets)
    assert get(url).status_code == 503
    region.ask("RegisterTargets", TargetGroupArn=group, Targets=targets)
    region.until(lambda: get(url).text == server.name, "it answers again")


def test_ecs_waits_until_a_target_is_drained(region: Region, group: str, url: str) -> None:
    from lab.aws.elb.balancing import Balancing  # noqa: PLC0415

    region.attributes(group, deregistration_delay__timeout_seconds="1")
    balancing = Balancing(region.elb)
    server = Server("task")
    address = region.address(20)
    region.servers[address], region.addresses[address] = server, ("127.0.0.1", server.server_port)

    async def register() -> None:
        balancing.register(group, address, 8080)

    async def state() -> str:
        return balancing.state_of(group, address, 8080)

    region.cloud.call(register())
    region.until(lambda: region.cloud.call(state()) == "healthy", "healthy")
    assert get(url).text == "task"
    begun = time.monotonic()
    region.cloud.call(balancing.deregister(group, address, 8080))
    assert 0.9 < time.monotonic() - begun < 5
    assert region.cloud.call(state()) == "unused"
    region.cloud.call(balancing.deregister(group, address, 8080))

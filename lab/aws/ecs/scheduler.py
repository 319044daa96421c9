"""The scheduler of services: compares what shall be with what is, and starts and stops tasks.

It is the loop of chapter 08 again. Nothing is remembered of how far it was: whenever a task, a
target or a service changes, it looks at all of the service anew and does what is due now.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from lab.aws.ecs.daemons import fill_hosts
from lab.aws.ecs.placement import place_on_hosts, why_no_room
from lab.aws.ecs.services import PENDING, Deployment, new_deployment_id
from lab.aws.ecs.state import now
from lab.aws.ecs.tasks import make_task, share_out
from lab.aws.errors import AwsError
from lab.aws.place import new_id

if TYPE_CHECKING:
    from lab.aws.cloud import Cloud
    from lab.aws.ecs.services import Service
    from lab.aws.ecs.state import Ecs, Task

    Json = dict[str, Any]

__all__ = ["Scheduler"]

# Without a health check, and behind no load balancer, a task counts from then on.
# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
STEADY_SECONDS: Final = 40.0
MOST_BACK_OFF_SECONDS: Final = 900
BALANCED_STATES: Final = {"healthy", "unused"}


class Scheduler:
    """The scheduler of the services of one place.

    Args:
        ecs: The state of that place.
        cloud: The loop.
        steady_seconds: After how long a task counts that nobody checks.
    """

    def __init__(self, ecs: Ecs, cloud: Cloud, steady_seconds: float = STEADY_SECONDS) -> None:
        self._ecs = ecs
        self._cloud = cloud
        self._steady_seconds = steady_seconds
        self._alarms: dict[Service, Any] = {}

    # --- what others ask of it ---------------------------------------------------------------

    def deploy(self, service: Service, *, rollback_of: Deployment | None = None) -> Deployment:
        """Begin a deployment of what the service is now."""
        for before in service.deployments:
            before.status = "ACTIVE"
            if before.history in ("PENDING", "IN_PROGRESS"):
                before.history, before.finished_at = "STOPPED", now()
                before.reason = "Deployment was superseded."
        place, path = self._ecs.place, f"{service.cluster.name}/{service.name}"
        made = Deployment(
            id=new_deployment_id(),
            arn=place.arn("ecs", f"service-deployment/{path}/{new_id()[:21]}"),
            revision=place.arn("ecs", f"service-revision/{path}/{new_deployment_id()[8:]}"),
            definition=service.definition,
            settings=dict(service.form),
            rollback_of=rollback_of,
        )
        made.reason = f"ECS deployment {made.id} in progress."
        service.deployments.insert(0, made)
        service.history.insert(0, made)
        service.is_steady = False
        self.look_at(service)
        return made

    def look_at(self, service: Service) -> None:
        """Compare what shall be with what is, soon, and only once for several changes."""
        if not service.asked_again:
            service.asked_again = True
            self._cloud.tell(self._look_at, service)

    def look_at_all(self) -> None:
        """Look at every service: what became free may be what one of them waits for."""
        for service in self._ecs.services.values():
            self.look_at(service)

    def end(self, service: Service) -> None:
        """Stop all tasks of a service that was deleted."""
        for task in self._live(service):
            _give_up(task, service.primary)
        self.look_at(service)

    def give_up(self, service: Service, deployment: Deployment, state: str, why: str) -> None:
        """Have a deployment start no more tasks."""
        deployment.rollout, deployment.reason = "FAILED", why
        deployment.history, deployment.finished_at = state, now()
        self.look_at(service)

    def roll_back(
        self, service: Service, deployment: Deployment, good: Deployment | None, why: str
    ) -> None:
        """Go back from a deployment to another one; without any it only starts no more tasks."""
        if good is None:
            self.give_up(service, deployment, "STOPPED", why)
            return
        deployment.rollout, deployment.reason = "FAILED", why
        deployment.history, deployment.finished_at = "ROLLBACK_IN_PROGRESS", None
        service.say(f"rolling back to deployment {good.id}.")
        service.definition = good.definition
        kept = ("desiredCount", "deploymentConfiguration")
        service.form = {**good.settings, **{name: service.form.get(name) for name in kept}}
        deployment.status = "ACTIVE"
        if good in service.deployments:
            # Its tasks are still there: it becomes the primary one again.
            service.deployments.remove(good)
            service.deployments.insert(0, good)
            good.status, good.rollout = "PRIMARY", "IN_PROGRESS"
            good.rollback_of = deployment
        else:
            good = self.deploy(service, rollback_of=deployment)
        who = why.partition(":")[0].rstrip(".")
        good.reason = f"{who}: rolling back to deploymentId {good.id}."
        self.look_at(service)

    async def activate(self, task: Task) -> None:
        """Register a task that has started with the target groups of its service."""
        service = task.service
        if service is None:
            return
        for target in service.targets:
            address, port = self._target_of(task, target)
            group = target["targetGroupArn"]
            self._ecs.balancing.register(group, address, port)
            service.say(f"registered 1 targets in (target-group {group})")

    async def deactivate(self, task: Task) -> None:
        """Take a task that shall stop out of the target groups, and wait until it is drained."""
        service = task.service
        if service is None or not service.targets:
            return
        draining = self._drain(service, task)
        if task.host is None or task.host.agent_connected:
            await draining
        else:
            # The instance is gone, and the task with it: only its targets have yet to go.
            self._cloud.spawn(draining)

    def disown(self, task: Task) -> None:
        """Have a task's service forget it, and its targets go; the task itself goes on."""
        service, task.service = task.service, None
        if service is None:
            return
        service.tasks.remove(task)
        if service.targets:
            self._cloud.spawn(self._drain(service, task))

    async def _drain(self, service: Service, task: Task) -> None:
        service.say("has begun draining connections on 1 tasks.")
        drains = []
        for target in service.targets:
            address, port = self._target_of(task, target)
            group = target["targetGroupArn"]
            service.say(f"deregistered 1 targets in (target-group {group})")
            drains.append(self._ecs.balancing.deregister(group, address, port))
        await asyncio.gather(*drains)

    # --- one look ----------------------------------------------------------------------------

    def _look_at(self, service: Service) -> None:
        service.asked_again = False
        for task in service.tasks:
            task.has_been_healthy |= self._is_healthy(service, task)
        self._forget_stopped(service)
        if service.status != "ACTIVE":
            if not service.tasks:
                service.status = "INACTIVE"
                service.deployments = []
            return
        self._replace_the_ill(service)
        if service.is_daemon:
            fill_hosts(self._ecs, service, self)
        else:
            self._scale_in(service)
            self._leave_hosts(service)
            self._scale_out(service)
        self._complete(service)
        self._set_alarm(service)

    def _forget_stopped(self, service: Service) -> None:
        for task in [task for task in service.tasks if task.status == "STOPPED"]:
            service.tasks.remove(task)
            if _has_failed(task):
                self._count_failure(service, task)
        service.deployments = [
            one for one in service.deployments if one.status == "PRIMARY" or service.of(one)
        ]

    def _count_failure(self, service: Service, task: Task) -> None:
        """Note that a task has failed, and have its deployment's circuit breaker decide."""
        deployment = next((one for one in service.history if one.id == task.started_by), None)
        if deployment is None:
            return
        deployment.failed += 1
        deployment.in_a_row += 1
        if deployment.rollout != "IN_PROGRESS" or deployment.rollback_of:
            self._hold(service, deployment)
            return
        if not service.breaker.get("enable") or deployment.in_a_row < service.threshold:
            self._hold(service, deployment)
            return
        deployment.has_triggered = True
        service.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
        why = "ECS deployment circuit breaker: tasks failed to start."
        if service.breaker.get("rollback"):
            completed = (one for one in service.history if one.rollout == "COMPLETED")
            self.roll_back(service, deployment, next(completed, None), why)
        else:
            self.give_up(service, deployment, "STOPPED", why)

    def _hold(self, service: Service, deployment: Deployment) -> None:
        """Wait longer after each failure, as AWS does with tasks that fail again and again."""
        seconds = min(MOST_BACK_OFF_SECONDS, 2 ** max(0, deployment.in_a_row - 3))
        deployment.hold_until = self._time() + seconds
        self._cloud.later(seconds, self.look_at, service)
        if deployment.in_a_row == 4:  # noqa: PLR2004  # once, when the waiting begins
            service.say("is unable to consistently start tasks successfully.")

    def _replace_the_ill(self, service: Service) -> None:
        """Stop tasks that fail their checks, once a healthy one has taken their place."""
        for task in self._live(service):
            why = self._illness(service, task)
            if why is None:
                continue
            healthy = sum(self._is_healthy(service, one) for one in self._live(service))
            room = self._room(service)
            if healthy >= service.desired or room <= 0 or service.is_daemon:
                service.say(f"(task {task.id}) {why[0].lower()}{why[1:]}.")
                task.stop("ServiceSchedulerInitiated", why)
                self._count_failure(service, task)

    def _scale_out(self, service: Service) -> None:
        if not self.may_start(service):
            return
        missing = min(service.desired - len(self._sound(service)), self._room(service))
        if missing > 0:
            self.start(service, missing)

    def may_start(self, service: Service) -> bool:
        """Tell whether the primary deployment may start tasks: it has not failed, nor must wait."""
        primary = service.primary
        return primary.rollout != "FAILED" and self._time() >= primary.hold_until

    def start(self, service: Service, count: int, hosts: list[Any] | None = None) -> None:
        """Start tasks of the primary deployment.

        Args:
            service: The service.
            count: How many.
            hosts: The instances to start them on, where they are chosen already.
        """
        deployment, form = service.primary, service.primary.settings
        strategy = form.get("capacityProviderStrategy")
        providers = share_out(strategy, count) if strategy else [None] * count
        launch_type = form.get("launchType") or "FARGATE"
        if launch_type == "EC2" and hosts is None:
            hosts, failures = place_on_hosts(
                self._ecs, service.cluster, deployment.definition, count, service.form
            )
            if failures:
                self.say_no_room(service, failures)
        elif hosts is None:
            hosts = [None] * count
        made = []
        for host, provider in zip(hosts, providers, strict=False):
            task = make_task(
                self._ecs,
                service.cluster,
                deployment.definition,
                launch_type=launch_type,
                group=f"service:{service.name}",
                started_by=deployment.id,
                capacity_provider=provider,
                network=form.get("networkConfiguration"),
                tags=self._tags(service, deployment),
                can_exec=bool(form.get("enableExecuteCommand")),
                host=host,
                platform_version=form.get("platformVersion"),
            )
            task.service = service
            task.watchers.append(lambda _task: self.look_at(service))
            service.tasks.append(task)
            made.append(task)
        if made:
            service.is_steady = False
            deployment.history = (
                "IN_PROGRESS" if deployment.history == "PENDING" else deployment.history
            )
            names = " ".join(f"(task {task.id})" for task in made)
            service.say(f"has started {len(made)} tasks: {names}.")
        for task in made:
            self._ecs.run(task)

    def say_no_room(self, service: Service, failures: list[Json]) -> None:
        """Say in the events why a task has no place, once as long as nothing else happens."""
        sentence = (
            "was unable to place a task because no container instance met all of its requirements. "
            f"{why_no_room(failures[0])} For more information, see the Troubleshooting section of "
            "the Amazon ECS Developer Guide."
        )
        if not service.events or sentence not in service.events[0]["message"]:
            service.say(sentence)

    def _scale_in(self, service: Service) -> None:
        """Stop what is too much: of the primary deployment above the count, of the others all."""
        primary = service.primary
        live = self._live(service)
        newest = self._sound(service)
        extra = len(newest) - service.desired
        if extra > 0:
            self.stop(service, _expendable(newest, extra))
        old = [task for task in live if task.started_by != primary.id]
        if primary.rollout == "FAILED":
            # The old tasks carry on, for nothing is there in their place but what is healthy.
            serving = sum(self._is_healthy(service, task) for task in newest)
            surplus = len(old) + serving - service.desired
            if surplus > 0:
                self.stop(service, _expendable(old, surplus))
            return
        healthy = sum(self._is_healthy(service, task) for task in live)
        if extra > 0:
            healthy = min(healthy, service.desired)
        self._stop_while(service, [task for task in old if not task.is_protected], healthy)

    def _leave_hosts(self, service: Service) -> None:
        """Stop tasks on instances that are DRAINING, as far as enough others are healthy."""
        live = self._live(service)
        healthy = sum(self._is_healthy(service, task) for task in live)
        self._stop_while(service, [task for task in live if _is_leaving(task)], healthy)

    def _stop_while(self, service: Service, tasks: list[Task], healthy: int) -> None:
        """Stop tasks that never ran, and others as long as the minimum of healthy ones is kept."""
        least = math.ceil(service.desired * service.percent("minimumHealthyPercent") / 100)
        for task in sorted(tasks, key=lambda one: self._is_healthy(service, one)):
            counts = self._is_healthy(service, task)
            if task.status in PENDING or healthy - counts >= least:
                healthy -= counts
                self.stop(service, [task])

    def stop(self, service: Service, tasks: list[Task]) -> None:
        """Stop tasks of a service in favour of its primary deployment."""
        if not tasks:
            return
        for task in tasks:
            _give_up(task, service.primary)
        names = " ".join(f"(task {task.id})" for task in tasks)
        service.say(f"has stopped {len(tasks)} running tasks: {names}.")

    def _complete(self, service: Service) -> None:
        """See whether the service is where it shall be."""
        primary = service.primary
        good = [task for task in self._sound(service) if self._is_healthy(service, task)]
        if good and service.breaker.get("resetOnHealthyTask", True):
            primary.in_a_row = 0
        wanted = self._ecs.wanted_by(service)
        if primary.rollout == "FAILED" or len(good) != wanted or len(service.tasks) != wanted:
            service.is_steady = False
            return
        if service.is_steady:
            return
        service.is_steady = True
        primary.updated_at = now()
        if primary.rollout == "IN_PROGRESS":
            primary.rollout = "COMPLETED"
            primary.reason = f"ECS deployment {primary.id} completed."
            if primary.rollback_of:
                bad = primary.rollback_of
                bad.history, bad.finished_at = "ROLLBACK_SUCCESSFUL", now()
                primary.rollback_of = None
            if primary.history in ("PENDING", "IN_PROGRESS"):
                primary.history, primary.finished_at = "SUCCESSFUL", now()
            service.say(f"(deployment {primary.id}) deployment completed.")
        service.say("has reached a steady state.")

    def _set_alarm(self, service: Service) -> None:
        """Look again when the next task will have run for long enough to count."""
        if alarm := self._alarms.pop(service, None):
            alarm.cancel()
        waits = [
            self._steady_seconds - (now() - task.times["startedAt"]).total_seconds()
            for task in self._live(service)
            if task.status == "RUNNING" and not self._is_healthy(service, task)
        ]
        if due := [seconds for seconds in waits if seconds > 0]:
            self._alarms[service] = self._cloud.later(min(due) + 0.05, self.look_at, service)

    # --- what it sees ------------------------------------------------------------------------

    def _live(self, service: Service) -> list[Task]:
        return [task for task in service.tasks if task.desired == "RUNNING"]

    def _sound(self, service: Service) -> list[Task]:
        """List the tasks of the primary deployment that need no others in their place."""
        return [
            task
            for task in self._live(service)
            if task.started_by == service.primary.id
            and self._illness(service, task) is None
            and not _is_leaving(task)
        ]

    def _room(self, service: Service) -> int:
        """How many more tasks may be RUNNING or PENDING."""
        most = math.floor(service.desired * service.percent("maximumPercent") / 100)
        there = [
            task
            for task in service.tasks
            if task.status == "RUNNING" or (task.status in PENDING and task.desired == "RUNNING")
        ]
        return max(most, 1) - len(there)

    def _is_healthy(self, service: Service, task: Task) -> bool:
        """Tell whether a task counts towards the minimum."""
        if task.status != "RUNNING" or task.desired != "RUNNING":
            return False
        if any(c.has_health_check and c.is_essential for c in task.containers):
            if task.health != "HEALTHY":
                return False
            return all(state in BALANCED_STATES for state in self._target_states(service, task))
        if service.targets:
            return all(state in BALANCED_STATES for state in self._target_states(service, task))
        ran = (now() - task.times["startedAt"]).total_seconds()
        return ran >= self._steady_seconds

    def _illness(self, service: Service, task: Task) -> str | None:
        """Say why a task must be replaced, in AWS's words; nothing if it need not be."""
        if task.status != "RUNNING":
            return None
        if task.health == "UNHEALTHY":
            return "Task failed container health checks"
        grace = service.form.get("healthCheckGracePeriodSeconds") or 0
        if (now() - task.times["startedAt"]).total_seconds() < grace:
            return None
        for target, state in zip(service.targets, self._target_states(service, task), strict=True):
            if state == "unhealthy":
                return f"Task failed ELB health checks in (target-group {target['targetGroupArn']})"
        return None

    def _target_states(self, service: Service, task: Task) -> list[str]:
        return [
            self._ecs.balancing.state_of(target["targetGroupArn"], *self._target_of(task, target))
            for target in service.targets
        ]

    def _target_of(self, task: Task, target: Json) -> tuple[str, int]:
        """Tell under which address and port a task is registered in a target group."""
        if task.address:
            return task.address, target["containerPort"]
        container = task.container(target["containerName"])
        binding = next(
            (b for b in container.bindings if b["containerPort"] == target["containerPort"]), None
        )
        if binding is None or task.host is None:
            raise AwsError("ServerException", f"{container.name} has no port on its host.")
        return task.host.instance_id, binding["hostPort"]

    def _tags(self, service: Service, deployment: Deployment) -> list[Json]:
        source = deployment.settings.get("propagateTags")
        if source == "SERVICE":
            return list(service.tags)
        return list(deployment.definition.tags) if source == "TASK_DEFINITION" else []

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _give_up(task: Task, deployment: Deployment) -> None:
    task.stop(
        "ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {deployment.id})"
    )


def _has_failed(task: Task) -> bool:
    """Tell whether a task has ended by itself before it was of any use to its service."""
    by_itself = task.stop_code in ("TaskFailedToStart", "EssentialContainerExited")
    return by_itself and not task.has_been_healthy


def _is_leaving(task: Task) -> bool:
    """Tell whether a task is on an instance that shall have no more tasks of services."""
    return task.host is not None and task.host.status == "DRAINING"


def _expendable(tasks: list[Task], count: int) -> list[Task]:
    """Choose the tasks to stop: those that do not run yet first, the newest, no protected one."""
    free = [task for task in tasks if not task.is_protected]
    order = sorted(free, key=lambda t: (t.status == "RUNNING", -t.times["createdAt"].timestamp()))
    return order[:count]

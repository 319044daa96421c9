"""Services with the strategy DAEMON: one task on each instance that their constraints allow.

https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_scheduler_daemon.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lab.aws.ecs.placement import fits_constraints, why_not, wish_of

if TYPE_CHECKING:
    from lab.aws.ecs.hosts import Host
    from lab.aws.ecs.placement import Wish
    from lab.aws.ecs.scheduler import Scheduler
    from lab.aws.ecs.services import Service
    from lab.aws.ecs.state import Ecs, Task

__all__ = ["fill_hosts"]


def fill_hosts(ecs: Ecs, service: Service, scheduler: Scheduler) -> None:
    """Have one task of the primary deployment on each instance that shall have one.

    A task of an older deployment is stopped before the new one starts, because each instance has
    one at most; how many may be missing meanwhile says ``minimumHealthyPercent``.
    """
    wish = wish_of(ecs, service.primary.definition, service.form)
    hosts = [
        host
        for host in ecs.hosts_of(service.cluster)
        if host.status == "ACTIVE" and host.agent_connected and fits_constraints(host, wish)
    ]
    service.desired = len(hosts)
    live = [task for task in service.tasks if task.desired == "RUNNING"]
    scheduler.stop(service, [task for task in live if _is_over(task, hosts, wish)])
    if not scheduler.may_start(service):
        return
    least = math.ceil(service.desired * service.percent("minimumHealthyPercent") / 100)
    there = [task for task in live if task.host in hosts]
    old = [task for task in there if task.started_by != service.primary.id]
    scheduler.stop(service, old[: max(0, len(there) - least)])
    taken = {task.host for task in service.tasks}
    free = [host for host in hosts if host not in taken]
    reasons = {host: why_not(host, wish) for host in free}
    fit = [host for host in free if reasons[host] is None]
    if fit:
        scheduler.start(service, len(fit), fit)
    for host, reason in reasons.items():
        if reason is not None:
            scheduler.say_no_room(service, [{"arn": host.arn, "reason": reason}])
            return


def _is_over(task: Task, hosts: list[Host], wish: Wish) -> bool:
    """Tell whether a task must leave its instance; on a DRAINING one it is the last to do so."""
    host = task.host
    if host is None or host in hosts:
        return False
    if host.status == "DRAINING" and fits_constraints(host, wish):
        return not any(
            other.service and not other.service.is_daemon and other.desired == "RUNNING"
            for other in host.live
        )
    return True

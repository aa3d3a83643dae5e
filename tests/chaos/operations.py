"""What operators do to bridges while messages flow: restarts, scaling, other roles, settings and versions."""

from collections.abc import Mapping

from tests.chaos.context import FaultInjector, FaultSkippedError, RunContext
from tests.chaos.plan import Fault, FaultKind
from tests.chaos.replicas import Replica

READY_TIMEOUT_SECONDS = 20.0
"""How long to wait for a bridge before the next fault. Faults around it may keep it from becoming ready."""

LONGER_DEADLINE = 1.5
"""How many times as long a changed deadline is."""

DEADLINES = ("DEXATEL__GIVE_UP_AFTER", "SPEEDOCOM__GIVE_UP_AFTER")


async def start_replica(replica: Replica) -> None:
    """Start a bridge, and wait for a while until it is ready."""
    await replica.start()
    await replica.wait_until_ready(READY_TIMEOUT_SECONDS)


async def _restart_one_by_one(context: RunContext, fault: Fault) -> None:
    running = context.fleet.running
    context.log_fault(fault, f"bridges {[replica.number for replica in running]}")
    for replica in running:
        async with replica.lock:
            await context.fleet.stop(replica)
            await start_replica(replica)


async def _scale(context: RunContext, fault: Fault) -> None:
    fleet = context.fleet
    running = len(fleet.running)
    minimum = 2 if fleet.replicas[0].split else 1  # with split roles the first doesn't track
    others = [count for count in range(minimum, len(fleet.replicas) + 1) if count != running]
    count = others[int(fault.selector * len(others))]
    context.log_fault(fault, f"from {running} to {count} bridges")
    context.ledger.note_bridges(min(running, count))
    for replica in fleet.replicas[running:count]:
        async with replica.lock:
            await start_replica(replica)
    for replica in fleet.replicas[count:running]:
        async with replica.lock:
            await fleet.stop(replica)
    context.ledger.note_bridges(count)


async def _switch_roles(context: RunContext, fault: Fault) -> None:
    fleet = context.fleet
    context.log_fault(fault, "from split to joined" if fleet.replicas[0].split else "from joined to split")
    for replica in fleet.replicas:
        async with replica.lock:
            if replica.should_run:
                await fleet.stop(replica)
            replica.switch_roles()
            await start_replica(replica)


async def _change_settings(context: RunContext, fault: Fault) -> None:
    replicas, longer = context.fleet.replicas, round(context.give_up_after_ms * LONGER_DEADLINE)
    is_longer = replicas[0].service.settings[DEADLINES[0]] == f"{longer}ms"
    value = context.give_up_after_ms if is_longer else longer
    context.log_fault(fault, f"the deadline is {value} ms")
    for replica in replicas:
        for name in DEADLINES:
            replica.set_setting(name, f"{value}ms")
    await _restart_one_by_one(context, fault)


async def _update(context: RunContext, fault: Fault) -> None:
    replicas, versions = context.fleet.replicas, context.versions
    if len(versions) == 1:
        raise FaultSkippedError("there is no other version")
    version = versions[(versions.index(replicas[0].version) + 1) % len(versions)]
    context.log_fault(fault, f"to {version}")
    for replica in replicas:
        async with replica.lock:
            if replica.should_run:
                await context.fleet.stop(replica)
                replica.use_version(version)
                await start_replica(replica)
            else:
                replica.use_version(version)


OPERATIONS: Mapping[FaultKind, FaultInjector] = {
    FaultKind.ROLLING_RESTART: _restart_one_by_one,
    FaultKind.SCALE: _scale,
    FaultKind.ROLES: _switch_roles,
    FaultKind.SETTINGS: _change_settings,
    FaultKind.UPDATE: _update,
}

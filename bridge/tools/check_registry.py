"""`check` of the schema registry: it is asked once for a schema. Nothing is registered."""

import asyncio

from bridge.core.errors import RegistryRefusedError, RegistryUnavailableError
from bridge.kafka.schema_registry import REQUEST_TIMEOUT, is_registered
from bridge.settings.model import PREFIX, Settings
from bridge.tools.check_finding import CheckFinding, ok


async def check_registry(settings: Settings, timeout: float = REQUEST_TIMEOUT) -> CheckFinding:
    """Check that the registry of the settings answers, and that it accepts the credentials.

    Args:
        settings: With a registry.
        timeout: Seconds that the whole answer may take.
    """
    registry, subject = settings.registry, f"{settings.topics.delivery}-value"
    try:
        async with asyncio.timeout(timeout):
            known = await is_registered(registry, subject)
    except RegistryRefusedError as error:
        remedy = f"check {PREFIX}REGISTRY__USERNAME and {PREFIX}REGISTRY__PASSWORD, and that they may read {subject}"
        return CheckFinding("registry", "wrong", registry.url, str(error), remedy)
    except (RegistryUnavailableError, TimeoutError) as error:
        remedy = f"is {PREFIX}REGISTRY__URL right, and may this machine reach it?"
        return CheckFinding("registry", "wrong", registry.url, str(error) or "no answer in time", remedy)
    when = "has" if known else "gets at the start"
    return ok("registry", registry.url, f"it answers, and {when} the schema of {subject}")

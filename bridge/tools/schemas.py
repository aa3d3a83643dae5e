"""`sms-bridge schemas register`: what the service does at its start, for pipelines that want it before."""

from bridge.core.errors import Misconfigured
from bridge.registry import register
from bridge.settings.model import PREFIX, Settings
from bridge.tools.output import Exit, console, table, write_json


async def registered(settings: Settings, *, as_json: bool) -> Exit:
    """Register, and tell the ids.

    Raises:
        Misconfigured: There is no registry, or it won't have the schema.
    """
    ids = await register(settings)
    if not ids:
        raise Misconfigured(f"{PREFIX}REGISTRY__URL is missing: where is the registry?")
    if as_json:
        write_json(ids)
    else:
        console().print(table(("subject", "id"), ((subject, str(number)) for subject, number in ids.items())))
    return Exit.FINE

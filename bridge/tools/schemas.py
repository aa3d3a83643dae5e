"""`sms-bridge schemas register`: registers the schema as the service does at its start, for pipelines."""

from bridge.core.errors import ConfigurationError
from bridge.kafka.schema_registry import register_schemas
from bridge.settings.model import PREFIX, Settings
from bridge.tools.output import ExitCode, make_table, stdout_console, write_json


async def register(settings: Settings, *, as_json: bool) -> ExitCode:
    """Register the schema, and print the ids.

    Raises:
        ConfigurationError: There is no registry, or it rejects the schema.
    """
    ids = await register_schemas(settings.topics, settings.registry)
    if not ids:
        raise ConfigurationError(f"{PREFIX}REGISTRY__URL is missing: set the registry's URL")
    if as_json:
        write_json(ids)
    else:
        stdout_console().print(
            make_table(("subject", "id"), ((subject, str(number)) for subject, number in ids.items()))
        )
    return ExitCode.FINE

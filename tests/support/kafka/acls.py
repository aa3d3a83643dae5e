"""The documented ACLs of a user of the bridge: created for it, and taken away again."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it means to export them
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.support.paths import DOCS

DOCUMENT = DOCS / "operating.md"
CONFIG = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # The sandbox's own listener knows no users.
    "super.users": "User:ANONYMOUS",
}
"""The settings of brokers that look at ACLs."""

_ROW = re.compile(r"\| (\w+) \| `([\w.-]+)` \| (literal|prefixed) \| ([\w, ]+) \|")


class Right(NamedTuple):
    """An ACL; the name is the documented one, of an installation with default names."""

    resource: str
    name: str
    pattern: str
    operation: str


def documented() -> list[Right]:
    """Return the ACLs in docs/operating.md."""
    rows = _ROW.findall(DOCUMENT.read_text())
    return [
        Right(resource, name, pattern, operation)
        for resource, name, pattern, operations in rows
        for operation in operations.split(", ")
    ]


def allow(servers: str, user: str, rights: Iterable[Right]) -> None:
    """Create ACLs for a user."""
    admin = AdminClient({"bootstrap.servers": servers})
    for done in admin.create_acls([AclBinding(*_members(user, right)) for right in rights]).values():
        done.result(30)


def forbid(servers: str, user: str, rights: Iterable[Right]) -> None:
    """Delete ACLs of a user."""
    admin = AdminClient({"bootstrap.servers": servers})
    for done in admin.delete_acls([AclBindingFilter(*_members(user, right)) for right in rights]).values():
        assert done.result(30), "there was no such right"


def _members(user: str, right: Right) -> tuple[Any, ...]:
    return (
        ResourceType[_words(right.resource)],
        right.name,
        ResourcePatternType[right.pattern.upper()],
        f"User:{user}",
        "*",
        AclOperation[_words(right.operation)],
        AclPermissionType.ALLOW,
    )


def _words(name: str) -> str:
    """Convert Kafka's name to the client's: DescribeConfigs to DESCRIBE_CONFIGS."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()

"""The five bytes that Confluent's serialisers put before a value: a zero, and a schema's id in four bytes."""

MAGIC = b"\0"
SIZE = 5


def framed_by(schema_id: int) -> bytes:
    """What stands before every value of a schema."""
    return MAGIC + schema_id.to_bytes(SIZE - len(MAGIC), "big")


def parted(value: bytes) -> tuple[bytes, bytes]:
    """A value's frame, empty where it has none, and the rest."""
    size = SIZE if value.startswith(MAGIC) and len(value) > SIZE else 0
    return value[:size], value[size:]


def unframed(value: bytes) -> bytes:
    """A value without its frame."""
    return parted(value)[1]

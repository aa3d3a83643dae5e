"""The five bytes that Confluent's serialisers put before a value: a zero, and a schema's id in four bytes."""

MAGIC = b"\0"
SIZE = 5


def make_frame(schema_id: int) -> bytes:
    """What stands before every value of a schema."""
    return MAGIC + schema_id.to_bytes(SIZE - len(MAGIC), "big")


def split_frame(value: bytes) -> tuple[bytes, bytes]:
    """A value's frame, empty where it has none, and the rest."""
    size = SIZE if value.startswith(MAGIC) and len(value) > SIZE else 0
    return value[:size], value[size:]


def strip_frame(value: bytes) -> bytes:
    """A value without its frame."""
    return split_frame(value)[1]

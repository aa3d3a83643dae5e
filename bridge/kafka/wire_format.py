"""The frame of Confluent's serializers before a value: a zero byte, and a schema's id in four bytes."""

MAGIC = b"\0"
FRAME_BYTES = 5


def make_frame(schema_id: int) -> bytes:
    """Make the frame of a schema's values."""
    return MAGIC + schema_id.to_bytes(FRAME_BYTES - len(MAGIC), "big")


def split_frame(value: bytes) -> tuple[bytes, bytes]:
    """Split a value into its frame, empty where it has none, and the rest."""
    size = FRAME_BYTES if value.startswith(MAGIC) and len(value) > FRAME_BYTES else 0
    return value[:size], value[size:]


def strip_frame(value: bytes) -> bytes:
    """Strip a value's frame."""
    return split_frame(value)[1]


def parse_schema_id(value: bytes) -> int | None:
    """Parse the schema's id in a value's frame; None if it has no frame."""
    frame, _ = split_frame(value)
    return int.from_bytes(frame[len(MAGIC) :], "big") if frame else None

"""How long a client may take, and how much of a connection it may use."""

HEAD_TIMEOUT = 5.0
"""Seconds from the first byte of a request until all of its headers have come."""
BODY_TIMEOUT = 5.0
"""Seconds that the body may take after that."""
WRITE_TIMEOUT = 10.0
"""Seconds in which a client has to read, when there is more to send."""
LINGER_TIMEOUT = 5.0
"""Seconds that a client has to close the connection, after the last response."""
MAX_DRAINED_BYTES = 1024 * 1024
"""How much is received and dropped after the last response: a client that is still sending may not read it."""
MAX_HELD_BYTES = 64 * 1024 * 1024
"""How much all connections of a listener may hold of bodies that aren't complete."""
STRANGERS = frozenset({401, 403, 404})
"""Statuses of responses to clients that have no business here."""
MAX_STRANGE = 10
"""How many such responses in a row a connection gets without pause."""
STRANGERS_PAUSE = 1.0
"""Seconds after each further one until the connection's next request is looked at: a few thousand connections that ask
without pause would take all of the processor's time."""
MAX_AGE = 3600.0
"""Seconds after which a connection ends with its next response, so that new processes get their share."""
MAX_REQUESTS = 100_000
"""Of one connection, for the same reason."""

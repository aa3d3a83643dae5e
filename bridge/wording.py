"""Words for people, on the page and in a terminal."""


def counted(number: int, what: str) -> str:
    """So many of them: `1 broker`, `2 brokers`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"

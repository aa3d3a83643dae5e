"""A long way is told of while it lasts, a short one isn't."""

from structlog.testing import capture_logs

from bridge.state.progress import LOG_INTERVAL, Progress


def test_it_says_how_fast_it_goes_and_how_long_it_will_take() -> None:
    """Now and then, by what was done since it began."""
    now = 100.0
    progress = Progress("restoring", 3, lambda: now)
    with capture_logs() as said:
        for second in range(1, 13):
            now = 100.0 + second
            progress.advance(1_000, 100_000 - second * 1_000)
    assert [line["left"] for line in said] == [95_000, 90_000]
    first = said[0]
    assert (first["event"], first["partition"], first["per_second"], first["seconds_left"]) == (
        "restoring",
        3,
        1000,
        95,
    )


def test_a_new_beginning_forgets_what_was_before() -> None:
    """A worker that was level with the journal for hours, and falls behind, tells of that alone."""
    now = 0.0
    progress = Progress("catching up", 0, lambda: now)
    with capture_logs() as said:
        now = 1_000.0
        progress.begin()
        now += LOG_INTERVAL - 1
        progress.advance(50, 10)
        assert said == []
        now += 1
        progress.advance(50, 200)
    assert [(line["per_second"], line["seconds_left"]) for line in said] == [(20, 10)]

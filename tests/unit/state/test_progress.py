"""The progress of a long restore is logged, that of a short one is not."""

from structlog.testing import capture_logs

from bridge.state.progress import LOG_INTERVAL, Progress


def test_progress_has_rate_and_remaining_time() -> None:
    """Reported at intervals, from what was done since the start."""
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


def test_new_start_resets_the_progress() -> None:
    """A worker that falls behind again reports only the new backlog."""
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

"""Programs that measure; no test depends on them."""

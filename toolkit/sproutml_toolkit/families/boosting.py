"""What the boosters share."""


def patience(rows: int) -> int:
    """Rounds without gain before stopping: 300 up to 10,000 rows, then falling as rounds cost more, at least 20."""
    return 300 if rows <= 10_000 else max(20, round(300 * 10_000 / rows))

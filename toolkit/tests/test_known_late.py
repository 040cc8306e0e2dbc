"""With a time column, columns that only the past has are pointed out."""

from datetime import datetime, timedelta

from job_folder import JobFolder

START = datetime(2024, 1, 1)


def write(job: JobFolder) -> JobFolder:
    rows = []
    for i in range(240):
        at = START + timedelta(hours=7 * i)
        settled = "" if i >= 210 else str(i % 5)
        rare = str(i % 3) if i % 10 == 0 else ""
        due, born = at + timedelta(days=i % 9 + 1), START - timedelta(days=100 * (i % 50))
        rows.append([at, settled, rare, f"{due:%Y-%m-%d}", f"{at:%Y-%m-%d}", f"{born:%Y-%m-%d}", i * i % 17])
    return job.write_rows(["at", "settled", "rare", "closed", "day", "born", "y"], rows)


def told(job: JobFolder, **more: object) -> dict[str, list[str]]:
    warnings = job.profile("y", **more)["warnings"]
    return {entry["code"]: entry["columns"] for entry in warnings if entry["code"] in ("EMPTY_LATELY", "KNOWN_LATER")}


def test_columns_filled_in_afterwards_are_told_by_how_it_shows(job: JobFolder) -> None:
    assert told(write(job), timeColumn="at") == {"EMPTY_LATELY": ["settled"], "KNOWN_LATER": ["closed"]}


def test_they_are_not_where_they_are_kept_or_left_out_or_no_time_is_named(job: JobFolder) -> None:
    assert told(write(job), timeColumn="at", keepColumns=["settled", "closed"]) == {}
    assert told(job, timeColumn="at", ignoreColumns=["settled", "closed"]) == {}
    assert told(job) == {}


def test_a_day_is_not_after_an_hour_of_it_nor_an_hour_after_its_day(job: JobFolder) -> None:
    assert told(write(job), timeColumn="day") == {"EMPTY_LATELY": ["settled"], "KNOWN_LATER": ["closed"]}

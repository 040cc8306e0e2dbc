"""`profile`: read the upload, say what each column holds and what is to be predicted. Fits nothing."""

import difflib
from typing import Any

import numpy as np
import pandas as pd

from . import workspace
from .columns import ColumnType, as_feature, infer_type, number_style, typed
from .copies import copies
from .known_late import known_late
from .split_hints import split_hints
from .split_keys import Groups, Times, check_split_columns, read_groups, read_times
from .table import is_missing, read_rows
from .table_sample import say_sampled
from .target import Target, read_quantile, read_target
from .wire import ToolkitError, emit_progress

_MOSTLY_MISSING = 0.95
_DUPLICATE_ROWS = 0.01
_IMBALANCED = 0.05
_SKEWED = 1.5


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Serve a `profile` request: see PROTOCOL.md."""
    source = request["input"]
    emit_progress(0.0, "reading the table")
    raw, rows = read_rows(
        source["path"],
        source.get("delimiter") or ",",
        source.get("encoding") or "utf-8",
        source.get("compression"),
        request.get("timeBudgetSeconds"),
        int(request.get("seed") or 0),
    )
    numbers = raw.index.to_numpy()
    raw = raw.reset_index(drop=True)
    name = _find_target(request["target"], list(raw.columns))
    ignored = _find_named(request.get("ignoreColumns") or [], list(raw.columns), name)
    kept = _find_named(request.get("keepColumns") or [], list(raw.columns), name)
    delimiter = source.get("delimiter") or ","
    group, time = request.get("groupColumn"), request.get("timeColumn")
    check_split_columns(group, time, list(raw.columns), name)

    emit_progress(0.4, f"read {len(raw):,} rows and {raw.shape[1]:,} columns")
    target = read_target(raw[name], name, request.get("task"), request.get("metric"), number_style(raw[name], delimiter))
    quantile = read_quantile(target.metric, request.get("quantile"))

    columns: list[dict[str, Any]] = []
    schema: list[ColumnType] = []
    features: dict[str, pd.Series] = {}
    keys: Groups | Times | None = None
    usable = np.flatnonzero(target.usable)
    for position, column in enumerate(raw.columns):
        if position % 50 == 0:
            emit_progress(0.4 + 0.5 * position / raw.shape[1], f"looking at column {position + 1} of {raw.shape[1]}")
        # Rows without a target are never used, so a column is what its usable rows say it is.
        cells = raw[column].iloc[usable]
        kind = infer_type(cells, column, delimiter)
        if kind.type == "IDENTIFIER" and column in kept:
            kind = as_feature(cells, kind, delimiter)
        entry = _describe(cells, kind)
        if column == group:
            keys = read_groups(cells, column)
        elif column == time:
            keys = read_times(cells, kind, delimiter)
        if column == name:
            entry |= {"type": _target_column_type(target, kind), "role": "target", "reason": None}
        elif column == group:
            # What tells known groups apart says nothing of new ones.
            entry |= {"role": "ignored", "reason": "its rows are kept together in the split, so it is no feature"}
        elif column in ignored:
            entry |= {"role": "ignored", "reason": "left out as requested"}
        elif kind.type in ("CONSTANT", "IDENTIFIER"):
            entry |= {"role": "dropped", "reason": kind.note}
        else:
            features[column] = typed(cells, kind).reset_index(drop=True)
            schema.append(kind)
        columns.append(entry)

    dropped = _drop(features, columns, _twins(features, kept))
    same = copies(features, target.y, target.classes is not None)
    copied = {found: how for found, how in same.items() if found not in kept}
    # Where nothing else is left, a copy is all there is to learn from.
    if len(copied) < len(features):
        dropped |= _drop(features, columns, copied)
    schema = [kind for kind in schema if kind.name not in dropped]
    if not features:
        raise ToolkitError(
            "NO_FEATURES",
            f'besides the target "{name}" no column is left to learn from',
            "; ".join(f"{entry['name']}: {entry['reason']}" for entry in columns if entry["reason"])[:600]
            or "Upload a table with at least one more column.",
        )
    X = pd.DataFrame(features)
    groups, moments = keys.numbers if isinstance(keys, Groups) else None, keys.places if isinstance(keys, Times) else None
    table = workspace.Table(X, target.y, numbers[usable], groups, moments)
    sampled = say_sampled(len(raw), rows, raw.shape[1], request.get("timeBudgetSeconds"))
    result = {
        "rows": rows,
        "usableRows": len(table),
        "task": target.task,
        "metric": target.metric,
        "quantile": quantile,
        "classes": _class_counts(target),
        "positiveClass": target.positive_class,
        "columns": columns,
        "warnings": [
            *({"code": "ROWS_SAMPLED", "message": said, "columns": []} for said in sampled),
            *_of_copies(copied, dropped, name),
            *_warnings(table, target, columns, schema, len(raw)),
            *(keys.warnings if keys else split_hints(X)),
            *(known_late(X, keys, kept) if isinstance(keys, Times) else []),
        ],
        "decisions": [
            *(f"{said[0].upper()}{said[1:]}." for said in sampled),
            *_decisions(target, columns, schema),
            *_of_kept(kept, columns, same),
        ],
        "target": _target_summary(name, target),
    }
    workspace.save_pickle(workspace.TABLE, table)
    workspace.save_pickle(workspace.SPLIT_KEYS, keys)
    more = {"schema": [kind.to_json() for kind in schema], "request": request, "copies": {n: same[n] for n in same if n in features}}
    workspace.save_json(workspace.PROFILE, result | more)
    emit_progress(1.0, f"{target.task}: {len(table):,} rows, {len(features):,} features")
    return result


def _find_target(wanted: str, names: list[str]) -> str:
    if wanted in names:
        return wanted
    if wanted.strip() in names:
        return wanted.strip()
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    by_case = [name for name in names if name.lower() == wanted.strip().lower()]
    suggestion = (by_case or close or [None])[0]
    raise ToolkitError(
        "TARGET_NOT_FOUND",
        f'no column "{wanted}"' + (f'; did you mean "{suggestion}"?' if suggestion else ""),
        "The columns are: " + ", ".join(names[:30]) + (", …" if len(names) > 30 else ""),
    )


def _find_named(wanted: list[str], names: list[str], target: str) -> set[str]:
    known = set(names) - {target}
    return {name for name in (item.strip() for item in wanted) if name in known}


def _target_column_type(target: Target, kind: ColumnType) -> str:
    if target.task == "REGRESSION":
        return "NUMERIC"
    return "BOOLEAN" if kind.type == "BOOLEAN" else "CATEGORICAL"


def _describe(cells: pd.Series, kind: ColumnType) -> dict[str, Any]:
    missing = is_missing(cells)
    return {
        "name": kind.name,
        "type": kind.type,
        "missing": int(missing.sum()),
        "distinct": int(cells[~missing].nunique()),
        "role": "feature",
        "reason": kind.note,
    }


def _twins(features: dict[str, pd.Series], kept: set[str]) -> dict[str, str]:
    """What each column is that repeats an earlier one value for value."""
    first_with: dict[int, list[str]] = {}
    twins: dict[str, str] = {}
    for name, values in features.items():
        digest = int(pd.util.hash_pandas_object(values, index=False).sum())
        for earlier in first_with.setdefault(digest, []):
            if features[earlier].equals(values) and name not in kept:
                twins[name] = f'the same values as "{earlier}"'
                break
        else:
            first_with[digest].append(name)
    return twins


def _drop(features: dict[str, pd.Series], columns: list[dict[str, Any]], reasons: dict[str, str]) -> set[str]:
    """Take the columns that have a reason out of `features`, and say so in their entries."""
    for entry in columns:
        if entry["name"] in reasons:
            entry |= {"role": "dropped", "reason": reasons[entry["name"]]}
            del features[entry["name"]]
    return set(reasons)


def _of_copies(copied: dict[str, str], dropped: set[str], target: str) -> list[dict[str, Any]]:
    """Warnings of columns that are the target again."""
    found = []
    for name, how in copied.items():
        fate = "kept, as no other column is left"
        if name in dropped:
            fate = "left out, for new rows will hardly have it: keepColumns takes it in"
        found.append({"code": "TARGET_COPY", "message": f'"{name}" gives "{target}" away: {how} ({fate})', "columns": [name]})
    return found


def _of_kept(kept: set[str], columns: list[dict[str, Any]], same: dict[str, str]) -> list[str]:
    """What became of the columns that the user wants kept, in a sentence each. same: what makes each copy of the target one."""
    said = []
    for name, role, reason in ((entry["name"], entry["role"], entry["reason"]) for entry in columns if entry["name"] in kept):
        if role != "feature":
            said.append(f"{name} can't be kept: {reason}.")
        elif name in same:
            said.append(f"{name}: kept as asked, though {same[name]}.")
        elif reason is None:  # else the reason is said with the others
            said.append(f"{name}: kept as asked.")
    return said


def _class_counts(target: Target) -> list[dict[str, Any]] | None:
    if target.classes is None:
        return None
    counts = np.bincount(target.y, minlength=len(target.classes))
    return [{"label": label, "count": int(count)} for label, count in zip(target.classes, counts, strict=True)]


def _target_summary(name: str, target: Target) -> dict[str, Any]:
    if target.task != "REGRESSION":
        return {"name": name}
    values = pd.Series(target.y)
    return {
        "name": name,
        "mean": values.mean(),
        "std": values.std(),
        "min": values.min(),
        "max": values.max(),
        "skew": values.skew(),
    }


def _warnings(
    table: workspace.Table, target: Target, columns: list[dict[str, Any]], schema: list[ColumnType], rows: int
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def warn(code: str, message: str, names: list[str] | None = None) -> None:
        found.append({"code": code, "message": message, "columns": names or []})

    lost = rows - len(table)
    if lost:
        warn("TARGET_MISSING_ROWS", f"{lost:,} of {rows:,} rows have no target and are left out")
    if target.unreadable:
        warn("TARGET_UNREADABLE", f"{target.unreadable:,} target values are no numbers: their rows are left out")
    if len(table) < 100:
        warn("FEW_ROWS", f"only {len(table)} rows: scores will be uncertain")
    repeated = int(pd.util.hash_pandas_object(table.X, index=False).duplicated().sum())
    if repeated > _DUPLICATE_ROWS * len(table):
        warn("DUPLICATE_ROWS", f"{repeated:,} rows repeat the features of an earlier row: scores may be too good")
    sparse = [
        entry["name"]
        for entry in columns
        if entry["role"] == "feature" and entry["missing"] > _MOSTLY_MISSING * len(table)
    ]
    if sparse:
        warn("MOSTLY_MISSING", "these columns are nearly empty", sparse)
    mixed = [kind.name for kind in schema if kind.note and "no numbers" in kind.note]
    if mixed:
        warn("MIXED_TYPES", "these columns are numbers with some other text, which counts as missing", mixed)
    vague = [kind.name for kind in schema if kind.note and "told apart" in kind.note]
    if vague:
        warn("AMBIGUOUS_DATES", "day and month can't be told apart in these columns: read as day first", vague)
    if target.classes is not None:
        counts = np.bincount(target.y, minlength=len(target.classes))
        if counts.min() < _IMBALANCED * len(table) / len(counts) * 2:
            rare = target.classes[int(counts.argmin())]
            warn("IMBALANCED", f'class "{rare}" has only {counts.min():,} of {len(table):,} rows')
        lonely = [label for label, count in zip(target.classes, counts, strict=True) if count == 1]
        if lonely:
            warn("SINGLE_ROW_CLASSES", f"classes with one row can't be learnt and scored: {', '.join(lonely[:10])}")
    elif abs(float(pd.Series(target.y).skew())) > _SKEWED:
        warn("SKEWED_TARGET", "the target has a long tail: a few rows will rule RMSE")
    return found


def _decisions(target: Target, columns: list[dict[str, Any]], schema: list[ColumnType]) -> list[str]:
    said = [f"Task {target.decision}; scored by {target.metric}."]
    if target.positive_class is not None:
        said.append(f'"{target.positive_class}" is the positive class.')
    dropped = [f"{entry['name']} ({entry['reason']})" for entry in columns if entry["role"] == "dropped"]
    if dropped:
        said.append(f"Dropped {len(dropped)} columns: {'; '.join(dropped[:20])}{' …' if len(dropped) > 20 else ''}.")
    said.extend(f"{kind.name}: {kind.note}." for kind in schema if kind.note)
    written = [f"{kind.name} ({kind.number})" for kind in schema if kind.type == "NUMERIC" and kind.number != "plain"]
    if written:
        said.append(f"Numbers written with separators: {', '.join(written[:20])}.")
    return said

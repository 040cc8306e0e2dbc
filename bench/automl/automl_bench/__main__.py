"""`python -m automl_bench FOLDER ...`: runs what is not there yet, then prints the tables."""

import argparse
import os
import sys
from pathlib import Path

from .catalogue import Dataset, load_catalogue
from .environments import default_folder, ensure_environment
from .errors import BenchError
from .experiment import Experiment, run
from .folds import folds_of
from .records import Key, Records
from .systems import DEFAULT, NAMES, OURS, System, resolve
from .table import dataset_table, groups_of, summary_table


def main(arguments: list[str]) -> int:
    """Returns 0, 1 where a system could not be installed, 2 for a request that makes no sense, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return _compare(options)
    except BenchError as error:
        print(f"{error.code}: {error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        return 130


def _compare(options: argparse.Namespace) -> int:
    datasets = load_catalogue(options.folder, options.datasets)
    records = Records(options.out / "records.jsonl")
    missing = 0
    if not options.table_only:
        systems, missing = _systems(options)
        if not options.install_only:
            _run_all(datasets, systems, options, records)
    ours = options.ours or next((name for name in options.systems if name.partition(":")[0] == OURS), OURS)
    groups = groups_of(records.all(), options.systems, [dataset.name for dataset in datasets], options.folds)
    for group in groups:
        print(f"\n{dataset_table(group, ours)}")
    for budget in sorted({group.budget_seconds for group in groups}):
        print(f"\n{summary_table([group for group in groups if group.budget_seconds == budget], ours)}")
    return 1 if missing else 0


def _systems(options: argparse.Namespace) -> tuple[list[System], int]:
    """Those that can run here, and how many cannot: one that does not install must not stop the others."""
    ready, missing = [], 0
    for name in options.systems:
        try:
            ready.append(resolve(name, lambda peer: ensure_environment(peer, options.environments, options.python)))
        except BenchError as error:
            if error.code != "PEER_NOT_INSTALLED":
                raise
            missing += 1
            print(f"{name} is left out: {error}", file=sys.stderr)
    return ready, missing


def _run_all(datasets: list[Dataset], systems: list[System], options: argparse.Namespace, records: Records) -> None:
    """Strictly one after the other: a system that competes for cores with another measures nothing."""
    for dataset in datasets:
        folds = folds_of(dataset, options.folds, options.out / "folds")
        for budget in options.budgets:
            for fold in range(min(options.use_folds or len(folds), len(folds))):
                experiment = Experiment(dataset, options.folds, fold, folds[fold], budget, options.threads)
                for system in systems:
                    key = Key(dataset.name, dataset.sha256, options.folds, fold, budget, system.name)
                    known = records.get(key)
                    if known is not None and not (options.retry_failed and known["error"]):
                        continue
                    title = f"{dataset.name} fold {fold} {budget:g} s {system.name}"
                    print(f"{title} ...", end="", flush=True)
                    record = run(experiment, system, options.out / "logs" / f"{title.replace(' ', '-')}.log")
                    records.add(record)
                    print(f" {_short(record)}", flush=True)


def _short(record: dict) -> str:
    if record["error"]:
        return f"{record['error']['code']} {record['error']['message']}"
    return f"{record['metric']} {record['score']:.4f} in {record['train_seconds']:.1f} s"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npm run bench:automl --",
        description="Compares AutoML systems on the same folds, budgets and cores. Goes on where it was stopped.",
    )
    parser.add_argument("folder", type=Path, help="CSVs and their catalogue.json")
    parser.add_argument("--datasets", type=_names, help="names of the catalogue, separated by commas (default: all)")
    parser.add_argument("--systems", type=_names, default=list(DEFAULT), help=f"of {', '.join(NAMES)}; NAME:label runs it anew")
    parser.add_argument("--budgets", type=_seconds, default=[60.0], help="seconds, separated by commas (default: 60)")
    parser.add_argument("--folds", type=int, default=10, help="how many folds a table is cut into (default: 10)")
    parser.add_argument("--use-folds", type=int, help="run only the first of them (default: all)")
    parser.add_argument("--threads", type=int, default=_cores(), help="cores told to each system (default: all)")
    out_help = "records, folds and logs (default: %(default)s)"
    parser.add_argument("--out", type=Path, default=Path("data/bench-automl"), help=out_help)
    parser.add_argument("--environments", type=Path, default=default_folder(), help="where peers are installed (%(default)s)")
    parser.add_argument("--python", default=_base_python(), help="the Python that peers' environments are made from")
    parser.add_argument("--ours", help="the system that others are compared with (default: the first sproutml)")
    parser.add_argument("--retry-failed", action="store_true", help="run again what failed")
    parser.add_argument("--install-only", action="store_true", help="install the peers and print what is there")
    parser.add_argument("--table-only", action="store_true", help="print what is there and run nothing")
    return parser


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _seconds(text: str) -> list[float]:
    return [float(name) for name in _names(text)]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _base_python() -> str:
    """The interpreter under the environment this runs in."""
    return getattr(sys, "_base_executable", None) or sys.executable


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The file of a run: what was measured, with what, and on which machine."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from math import sqrt
from pathlib import Path

SCHEMA = 1  # a reader refuses any other
PACKAGES = ("headrace", "grpcio", "uvloop", "protobuf")
MAD_TO_SIGMA, MEAN_TO_MEDIAN = 1.4826, 1.2533  # of a normal distribution


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result; *noise* is the standard error, None when measured just once."""

    name: str
    value: float
    unit: str
    noise: float | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a file holds.

    surroundings  what the figures hold for: versions, cores and so on, by name
    """

    figures: list[Figure]
    surroundings: dict[str, str]


class UnreadableRun(Exception):
    """A file is no run of this bench; its text says what to do."""


def noise_of(rounds: Sequence[float]) -> float | None:
    """Return the standard error of the median of *rounds*, None for fewer than three.

    From the median absolute deviation, so that one disturbed round does not set it.
    Source: Rousseeuw and Croux, 1993 (1.4826); the median's asymptotic efficiency (1.2533).
    """
    if len(rounds) < 3:  # two always lie equally far from their median
        return None
    middle = statistics.median(rounds)
    deviation = statistics.median(abs(value - middle) for value in rounds)
    return MEAN_TO_MEDIAN * MAD_TO_SIGMA * deviation / sqrt(len(rounds))


def write(path: Path, figures: Sequence[Figure]) -> None:
    """Write *figures* with the versions and the machine that they hold for."""
    machine = {"system": platform.platform(), "cpu": _cpu(), "cores": os.cpu_count()}
    versions = {name: version(name) for name in PACKAGES}
    versions["python"] = platform.python_version()
    rows = [asdict(figure) for figure in figures]
    run = {"schema": SCHEMA, "versions": versions, "machine": machine, "figures": rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run, indent=1) + "\n")


def _cpu() -> str:
    """Return the processor's model where the system tells it, its kind elsewhere."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def read(path: Path) -> Run:
    """Return the run in *path*; raises UnreadableRun for anything else."""
    try:
        run = json.loads(path.read_text())
        if run["schema"] != SCHEMA:
            raise UnreadableRun(f"{path}: schema {run['schema']}, not {SCHEMA}: measure again")
        around = {name: str(value) for name, value in (run["machine"] | run["versions"]).items()}
        return Run([Figure(**row) for row in run["figures"]], around)
    except (OSError, ValueError, TypeError, KeyError) as error:
        cure = "name a file that `make bench` of this version wrote"
        raise UnreadableRun(f"{path} is no run of the bench ({error}): {cure}") from error

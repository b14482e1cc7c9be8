"""The metrics of several processes as one page: each sample says which worker it is of. Pure."""

from collections.abc import Mapping

WORKER = "worker"


def merged(pages: Mapping[int, str], own: str = "") -> str:
    """Return the Prometheus text *pages*, by worker, as one; *own* comes first as it is.

    A family is told once, with the samples of all workers, as the format asks.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, page in sorted(pages.items()):
        family = ""
        for line in page.split("\n"):  # a label value may have what other calls end lines at
            if line.startswith("#"):
                word, name = (*line.split(" ", 3), "", "", "")[1:3]
                if word not in ("HELP", "TYPE"):
                    continue
                family = name
                head = heads.setdefault(family, [])
                if line not in head:
                    head.append(line)
            elif line:
                samples.setdefault(family, []).append(_of(worker, line))
    lines = [line for name in samples for line in (*heads.get(name, ()), *samples[name])]
    return own + "".join(f"{line}\n" for line in lines)


def _of(worker: int, sample: str) -> str:
    """Return *sample* with the worker as its first label."""
    label = f'{WORKER}="{worker}"'
    brace, space = sample.find("{"), sample.find(" ")
    if 0 <= brace < space:
        rest = sample[brace + 1 :]
        return f"{sample[:brace]}{{{label}{'' if rest.startswith('}') else ','}{rest}"
    return f"{sample[:space]}{{{label}}}{sample[space:]}"

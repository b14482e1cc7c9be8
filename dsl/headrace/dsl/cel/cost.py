"""How many steps an expression takes at worst, counted before it ever runs.

One step for each part, as often as the macros around it go through their items. The
lists of the vocabulary say how long they can be; of others FEW_MAX items are counted, and
the run time refuses more.
"""

from headrace.dsl.cel.kinds import Base
from headrace.dsl.cel.runtime import FEW_MAX
from headrace.dsl.cel.typed import Each, Op, Typed, Variable

STEPS_MAX = 100_000  # for each evaluation; about ten milliseconds


def steps(typed: Typed) -> int:
    """Return how many steps *typed* takes at most."""
    if typed.op is not Op.EACH:
        return 1 + sum(steps(arg) for arg in typed.args)
    items, *rest = typed.args
    return 1 + steps(items) + items_max(items) * sum(steps(part) for part in rest)


def items_max(typed: Typed) -> int:
    """Return how many items the list or map *typed* can have; FEW_MAX if that is unknown."""
    known = known_max(typed)
    return FEW_MAX if known is None else known


def known_max(typed: Typed) -> int | None:
    """Return how many items the list or map *typed* can have; None if only the run time knows."""
    match typed.op:
        case Op.LIST:
            return len(typed.args)
        case Op.MAP:
            return len(typed.args) // 2
        case Op.MAKE:
            return len(typed.args) // (2 if typed.type.base is Base.MAP else 1)
        case Op.READ:
            assert isinstance(typed.value, Variable)
            return typed.value.items_max or None
        case Op.EACH:
            assert isinstance(typed.value, Each)
            merges = typed.value.macro == "transformMapEntry"
            return None if merges else known_max(typed.args[0])
        case Op.JOIN:
            sizes = [known_max(arg) for arg in typed.args]
            return None if None in sizes else sum(size or 0 for size in sizes)
        case Op.COND:
            sizes = [known_max(arg) for arg in typed.args[1:]]
            return None if None in sizes else max(size or 0 for size in sizes)
        case _:
            return None

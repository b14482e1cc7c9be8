"""The expressions: CEL, written by ourselves, compiled to Python.

Two checkers share one grammar, one library and one emitter. `check` is the policies': every
name is declared, types are strict, and units, ranges and missing values are watched. `infer`
is plain CEL's, with dyn: `compile` and `Expression.evaluate` are its door, and the standard's
own tests come in by it. Knows nothing of blocks, pools or profiles.
"""

from headrace.dsl.cel.declared import Declarations
from headrace.dsl.cel.expression import CelError, Expression, compile, function
from headrace.dsl.cel.kinds import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    OCTETS,
    STRING,
    TIMESTAMP,
    UINT,
    list_of,
    map_of,
    optional_of,
    type_of,
)
from headrace.dsl.cel.kinds import Type as CelType
from headrace.dsl.cel.pure import pure_cel
from headrace.dsl.cel.values import Duration, Fault, Flag, Optional, Timestamp, TypeName, Uint

__all__ = [
    "BOOL",
    "DOUBLE",
    "DURATION",
    "DYN",
    "INT",
    "NULL",
    "OCTETS",
    "STRING",
    "TIMESTAMP",
    "UINT",
    "CelError",
    "CelType",
    "Declarations",
    "Duration",
    "Expression",
    "Fault",
    "Flag",
    "Optional",
    "Timestamp",
    "TypeName",
    "Uint",
    "compile",
    "function",
    "list_of",
    "map_of",
    "optional_of",
    "pure_cel",
    "type_of",
]

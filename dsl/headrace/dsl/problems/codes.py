"""The table of everything the compiler can complain about.

A code is stable for ever and is never used for something else. S1xx is about the
text, S2xx about names, types and values, S3xx about what the policy would do.
"""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad: an error stops the policy from loading, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem. *level* is the usual level; *title* is its one-line description."""

    id: str
    level: Level
    title: str


def _error(id_: str, title: str) -> Code:
    return Code(id_, Level.ERROR, title)


def _warning(id_: str, title: str) -> Code:
    return Code(id_, Level.WARNING, title)


def _note(id_: str, title: str) -> Code:
    return Code(id_, Level.NOTE, title)


CODES = (
    _error("S101", "the text does not fit the grammar at this place"),
    _error("S102", "a block has no such setting"),
    _error("S103", "there is no such block"),
    _error("S104", "the first line of every file is `sched 1`"),
    _error("S105", "a number has a unit that does not exist or is ambiguous"),
    _error("S106", "a block is never closed"),
    _error("S107", "a string is never closed"),
    _error("S108", "this part of the language does not exist yet"),
    _error("S109", "a literal is out of range or has an unknown escape"),
    _error("S110", "an expression is nested too deeply or is too large"),
    _error("S111", "a file is too large"),
    _error("S112", "there are more problems than are shown"),
    _warning("S113", "a line that allows a warning is not understood or has no reason"),
    _warning("S114", "a line that allows a warning has expired"),
    _warning("S115", "a line that allows a warning allows nothing"),
    _error("S201", "an expression uses a name that does not exist"),
    _error("S202", "an expression calls a function that does not exist"),
    _error("S203", "an expression has the wrong type for its place"),
    _error("S204", "two units do not go together"),
    _error("S205", "an int and a double cannot be added, multiplied or divided"),
    _error("S206", "a name exists but is not known at this place"),
    _error("S207", "the same name is defined twice"),
    _error("S208", "the same setting is given twice in one block"),
    _error("S209", "there is no such pool"),
    _error("S210", "there is no such profile"),
    _error("S211", "there is no such filter"),
    _error("S212", "there is no such scorer"),
    _error("S213", "there is no such stage"),
    _error("S214", "a word is not one of those that are possible here"),
    _error("S215", "a name is reserved or has a form that is not allowed"),
    _error("S216", "a block lacks a setting it cannot do without"),
    _error("S217", "two settings exclude each other, or one has no effect beside the other"),
    _error("S218", "a value is outside what is allowed here"),
    _error("S219", "a pattern is not a valid RE2 expression"),
    _error("S220", "a function is called with the wrong number of arguments"),
    _error("S221", "definitions refer to each other in a circle"),
    _error("S222", "a policy has no model, so every request would be turned away"),
    _error("S223", "there is no such cost"),
    _error("S224", "there is no such objective"),
    _error("S225", "an import cannot be followed"),
    _error("S226", "an override has nothing to override"),
    _error("S227", "there is no such model"),
    _error("S228", "a stage of a package cannot be used"),
    _error("S229", "a dialect file cannot be used"),
    _error("S230", "there is no such guard"),
    _error("S231", "a secret stands in the policy"),
    _warning("S301", "a class, shed, queue or pattern can never be reached"),
    _error("S302", "the shares of a route do not add up to 100 %"),
    _warning("S303", "a share of 0 % or a weight of 0; (an error) a weight below 0"),
    _error("S304", "the weights of a profile add up to 0"),
    _error("S305", "a shed rule can turn away requests of priority 0 or more"),
    _warning("S306", "the less urgent are better off than the more urgent"),
    _warning("S307", "something is defined but never used"),
    _warning("S308", "no server has a metric of this name; a likely slip of the pen is an error"),
    _warning("S309", "a division by zero is possible"),
    _warning("S310", "scores often tie and nothing says what decides then"),
    _warning("S311", "a condition is always true or always false"),
    _warning("S312", "conditions exclude each other and are wanted together"),
    _warning("S313", "a rule says nothing that another one has not said"),
    _warning("S314", "a scorer can leave the range from 0 to 1 and will be clamped"),
    _warning("S315", "endpoints come and go with a value that changes all the time"),
    _error("S316", "a value that may be missing is read without `has`"),
    _warning("S317", "a time is never reached, or times add up to more than is promised"),
    _error("S318", "an expression could take too many steps"),
    _note("S319", "a size may be meant in another unit"),
    _note("S320", "the same number is written three times for the same thing"),
    _warning("S321", "characters are invisible or look like others"),
    _warning("S322", "a model goes to a pool that cannot serve it"),
    _warning("S323", "a value is read and nothing of the policy fills it"),
    _warning("S331", "an endpoint is in more than one pool"),
    _error("S332", "a block says nothing"),
    _error("S333", "no chain has the stage that would act on this block"),
    _warning("S334", "a guard has no template for a model"),
)


def table() -> dict[str, Code]:
    """Return every code by its id."""
    return {code.id: code for code in CODES}


def level_of(code_id: str) -> Level:
    """Return the usual level of the code *code_id*."""
    return table()[code_id].level

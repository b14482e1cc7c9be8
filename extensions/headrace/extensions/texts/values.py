"""A piece of text and where it stands in a JSON body, so that it can be read and replaced."""

from enum import Enum

from msgspec import Struct

Path = tuple[str | int, ...]
"""From the body's root to a string: names of fields and indexes of lists."""


class Unreadable(Exception):
    """A body or an event whose text cannot be read. *detail* says why; it never quotes a text."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Said(Enum):
    """What a text is, for guards that do not look at everything."""

    PROSE = "prose"  # content of a message, a prompt, an answer
    SYSTEM = "system"  # instructions
    TOOLS = "tools"  # the description of tools
    TOOL_CALL = "tool_call"  # the arguments that a model gave a tool
    TOOL_RESULT = "tool_result"
    REASONING = "reasoning"
    REFUSAL = "refusal"

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python function


class Passage(Struct, frozen=True):
    """One readable text of a body.

    role    who says it: ``user``, ``system``, ``assistant``, ``tool``, ...
    path    where it stands; what is read there is *text* itself if *whole*, else canonical JSON
    turn    the number of its message, from 0; of a prompt list, of its entry
    whole   the value at *path* is the text, so that another text can be put there
    """

    role: str
    said: Said
    text: str
    path: Path
    turn: int = 0
    whole: bool = True

    def __repr__(self) -> str:
        return f"Passage({self.role}, {self.said.value}, {len(self.text)} characters)"


class Channel(Struct, frozen=True):
    """One text that the events of a stream write to, each a piece of it.

    choice  of the answers that were asked for
    item    of an answer that has several parts: which; of tool calls: which call
    field   tells two texts apart that stand beside each other, e.g. a tool's name and arguments
    """

    said: Said
    choice: int = 0
    item: int = 0
    field: str = ""


class Piece(Struct, frozen=True):
    """What one event of a stream adds to a text.

    path    where it stands in the event's data
    repeats the text is the whole of the channel so far, not an addition: to be judged as such
    """

    channel: Channel
    text: str
    path: Path
    repeats: bool = False

    def __repr__(self) -> str:
        return f"Piece({self.channel.said.value}, {len(self.text)} characters)"

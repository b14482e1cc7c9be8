"""What the simulated models say: readable, and a function of the prompt alone."""

from collections.abc import Sequence
from itertools import accumulate

from headrace.host.sim.tokens import tokenize

_SENTENCES = (
    "The river above the weir is slow and wide, and it carries more than it shows.",
    "A gate at the head of the channel decides how much water each turbine gets.",
    "When the gate opens too far, the channel spills and the water is lost to everyone.",
    "When it opens too little, the turbines turn in air and the lights go out below.",
    "So the keeper watches the level, the wind and the hour, and moves the gate by hand.",
    "She writes down every change and the reason for it, because memory is a poor gauge.",
    "On a calm day there is nothing to write, and that is how she knows it went well.",
    "In spring the melt comes at once, and the old mill is asked to wait its turn.",
    "The miller may complain, but the hospital at the end of the line stays warm.",
    "Nobody likes to be second, yet a queue with a rule is kinder than a crowd.",
    "A leaf in the grating is a small thing until a hundred of them arrive together.",
    "The grating is cleaned before the storm, for after it there is no time.",
    "Two channels share the load better than one, as long as somebody looks at both.",
    "An empty channel is not always a fast one; sometimes its gate is simply stuck.",
    "Trust the gauge you read yourself, and ask how old the other readings are.",
    "The sound of the water tells more than the number, once you have learned to listen.",
    "Good stones set well need no mortar, and good rules need few words.",
    "By evening the level settles, the log is closed, and the river goes on as before.",
)


class Prose:
    """An endless text that can be entered at any sentence. Built once per server."""

    __slots__ = ("_entries", "_pieces")

    def __init__(self, sentences: Sequence[str] = _SENTENCES) -> None:
        parts = [tokenize(f" {sentence}") for sentence in sentences]
        self._pieces = [piece for part in parts for piece in part]
        self._entries = [0, *accumulate(len(part) for part in parts[:-1])]

    def continue_from(self, seed: int, tokens: int) -> list[str]:
        """Return *tokens* pieces, from the sentence that *seed* picks; no blank before the first.

        The pieces of an answer are the ones that it has as part of a later prompt, so that the
        next turn of a conversation finds the answer in the cache.
        """
        start = self._entries[seed % len(self._entries)]
        around = len(self._pieces)
        repeats = -(-(start + tokens) // around)
        pieces = (self._pieces * repeats)[start : start + tokens]
        return [pieces[0].lstrip(" "), *pieces[1:]] if pieces else []

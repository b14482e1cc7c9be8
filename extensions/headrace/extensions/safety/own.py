"""What a guard looks for by itself: its patterns, detectors and deny list as one provider."""

from headrace.dsl.guarding import Guard
from headrace.extensions.safety.contract import Local
from headrace.extensions.safety.deny import deny_list
from headrace.extensions.safety.detect import detector
from headrace.extensions.safety.local import joined
from headrace.extensions.safety.pattern import pattern_list


def own(guard: Guard) -> Local | None:
    """Return who looks for what *guard* says, None if it says nothing of the kind.

    Raises:
        ValueError: a pattern is no RE2 expression, or no phrase of the deny list can be seen.
    """
    locals: list[Local] = []
    if guard.patterns:
        locals.append(pattern_list(guard.patterns))
    if guard.detect:
        locals.append(detector(guard.detect))
    if guard.deny:
        locals.append(deny_list(guard.deny))
    return joined(locals) if locals else None

"""Models that a guard has no template for, so no verdict on: S334."""

from headrace.dsl.lints.subject import Subject
from headrace.dsl.program import Guard
from headrace.dsl.syntax import declarations as said

_SHOWN_MAX = 5
_FORMS = (("prompt", "template"), ("response", "response_template"))


def unscreened(subject: Subject) -> None:
    """Warn of guards whose templates are all for some models, and of the models left out."""
    blocks = {block.name.text: block for block in subject.of(said.GuardBlock)}
    for guard in subject.program.guards:
        if guard.when is not None:
            continue  # it may be about these models only
        left = [m.name for m in subject.program.models.values() if _is_left(m.name, guard)]
        if not left:
            continue
        names = ", ".join(f"`{name}`" for name in left[:_SHOWN_MAX])
        more = f" and {len(left) - _SHOWN_MAX} more" if len(left) > _SHOWN_MAX else ""
        message = f"guard `{guard.name}` has no template for {names}{more}"
        help_ = 'add a `template "..."` without `for`, or say `when` the guard is asked'
        done = guard.on_error.value
        span = blocks[guard.name].span
        subject.problems.add("S334", span, message, f"`on error {done}`, each time", help_)


def _is_left(model: str, guard: Guard) -> bool:
    """Return whether *guard* has no template for requests for *model*, in some direction."""
    if guard.ask is None:
        return False
    settings = guard.ask.settings
    known: set[str] = set()
    for direction, name in _FORMS:
        known |= {of for _, of in settings.get(name, ())}
        if direction in guard.inspect and known and "" not in known and model not in known:
            return True
    return False

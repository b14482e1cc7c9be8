"""One difference between two policies, in words and as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """What differs, and how.

    how    of ``added removed changed renamed moved``
    of     the block: ``profile `default```
    label  what of it; empty for the block itself
    old, new  as written; empty where there is nothing
    places    ``file:line`` in the old and in the new policy, empty where it is not
    """

    how: str
    of: str
    label: str = ""
    old: str = ""
    new: str = ""
    places: tuple[str, str] = ("", "")

    @property
    def text(self) -> str:
        """The difference as one line."""
        if not self.label:
            match self.how:
                case "renamed":
                    return f"{self.of} renamed {self.new}"
                case "moved":
                    return f"{self.of} moved: {self.old} → {self.new}"
                case _:
                    return f"{self.of} {self.how}"
        what = f"{self.label} in {self.of}"
        if self.how == "changed" and not self.old and not self.new:
            return f"{what} changed"
        match self.how:
            case "changed":
                return f"{what} {self.old} → {self.new}"
            case _:
                value = self.old or self.new
                return f"{what} {self.how}" + (f": {value}" if value else "")

"""The roles of `headrace serve`, from its flags."""

from typing import TYPE_CHECKING

from headrace.host.cli.flags import Mistakes
from headrace.host.cli.serve_flags import LISTEN

if TYPE_CHECKING:
    from headrace.host.roles.role import Role

ROLES_MAX = 64


def read_roles(texts: list[str] | None, listen: str, mistakes: Mistakes) -> "tuple[Role, ...]":
    """Return the roles that *texts* say, with a note in *mistakes* for all that is wrong.

    listen  where to listen without any
    """
    if not texts:
        return ()
    from headrace.host.roles.role import RoleError, clashes, parse_role

    roles: list[Role] = []
    for text in texts:
        try:
            roles.append(parse_role(text))
        except RoleError as error:
            mistakes.add(f"--role: {error}")
    for line in clashes(tuple(roles)):
        mistakes.add(f"--role: {line}")
    if len(roles) > ROLES_MAX:
        mistakes.add(f"--role: {len(roles)} roles are more than {ROLES_MAX}: run another process")
    if listen != LISTEN:
        mistakes.add("--listen: it has no effect with --role: write `--role default=IP:PORT`")
    return tuple(roles)

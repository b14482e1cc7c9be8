"""Ask the API server whose token one is, and whether he may read a URL of ours.

Source: Kubernetes, `authentication.k8s.io/v1` TokenReview and `authorization.k8s.io/v1`
SubjectAccessReview with `nonResourceAttributes`. Who asks needs `create` on both; the role
`system:auth-delegator` has it.
"""

from dataclasses import dataclass

import msgspec

from headrace.host.cluster.api import Api, Failed
from headrace.host.telemetry.readers import Ruling, Unasked

TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESSES = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
UNAUTHORIZED = 401
NOBODY = Ruling("", allowed=False)


class User(msgspec.Struct, frozen=True):
    """Whose token it is."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()


class TokenStatus(msgspec.Struct, frozen=True):
    """What a TokenReview comes to."""

    authenticated: bool = False
    user: User = User()


class TokenReview(msgspec.Struct, frozen=True):
    """The part of a TokenReview that is read."""

    status: TokenStatus = TokenStatus()


class AccessStatus(msgspec.Struct, frozen=True):
    """What a SubjectAccessReview comes to."""

    allowed: bool = False


class AccessReview(msgspec.Struct, frozen=True):
    """The part of a SubjectAccessReview that is read."""

    status: AccessStatus = AccessStatus()


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Asks one API server. Called from any thread; it waits for the answers."""

    api: Api

    def __call__(self, token: str, path: str) -> Ruling:
        """Return what the API server says of who shows *token* and wants to read *path*.

        Raises:
            Unasked: it does not say.
        """
        try:
            asked = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
            said = self._post(TOKENS, {**asked, "spec": {"token": token}})
            known = msgspec.json.decode(said, type=TokenReview).status
            if not known.authenticated or not known.user.username:
                return NOBODY
            said = self._post(ACCESSES, _access(known.user, path))
            allowed = msgspec.json.decode(said, type=AccessReview).status.allowed
        except Failed as error:
            raise Unasked(error.fault.message) from error
        except msgspec.MsgspecError as error:
            raise Unasked(f"its answer cannot be read: {error}") from error
        return Ruling(known.user.username, allowed)

    def _post(self, path: str, body: dict[str, object]) -> bytes:
        octets = msgspec.json.encode(body)
        try:
            return self.api.post(path, octets)
        except Failed as error:
            if error.fault.status != UNAUTHORIZED:
                raise
        self.api.renew()
        return self.api.post(path, octets)


def _access(user: User, path: str) -> dict[str, object]:
    return {
        "kind": "SubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {
            "user": user.username,
            "uid": user.uid,
            "groups": list(user.groups),
            "nonResourceAttributes": {"path": path, "verb": "get"},
        },
    }

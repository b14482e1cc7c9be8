"""Answers of a model server that are not an answer of the model."""

from collections.abc import Mapping


class ApiError(Exception):
    """The client's mistake, or the server's limit, as vLLM would say it."""

    def __init__(
        self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param

    def body(self) -> Mapping[str, object]:
        """Return the JSON body, in OpenAI's shape."""
        error = {"message": self.message, "type": self.kind, "param": self.param}
        return {"error": {**error, "code": self.status}}


def unknown_model(model: str) -> ApiError:
    """Return the error for a *model* that is neither served nor a loaded adapter."""
    return ApiError(404, f"The model `{model}` does not exist.", "NotFoundError", "model")

"""`headrace lsp`: the language server, for editors to start."""

from importlib.util import find_spec

from headrace.host.cli.flags import fail


def lsp() -> None:
    """Serve an editor on standard input and output, by the Language Server Protocol.

    Editors start it; see the guide on editors. It needs the extra `lsp`.

        pip install 'headrace[lsp]'
    """
    if find_spec("pygls") is None:
        fail("the language server needs pygls: `pip install 'headrace[lsp]'`")
    # It is of the extra: nothing else of Headrace imports it.
    from headrace.host.lsp.server import serve_stdio

    serve_stdio()

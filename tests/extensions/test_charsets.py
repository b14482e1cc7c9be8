import pytest

from headrace.extensions.charsets import foreign_charset


@pytest.mark.parametrize(
    ("content_type", "foreign"),
    [
        ("", ""),
        ("application/json", ""),
        ("application/json; charset=utf-8", ""),
        ("application/json;CHARSET=UTF8", ""),
        ('text/plain; charset="us-ascii"', ""),
        ("application/json; charset=utf-16", "utf-16"),
        ("application/json;charset = 'UTF-7'", "utf-7"),
        ("text/html; charset=utf-8; charset=shift_jis", "shift_jis"),
        ("multipart/form-data; boundary=charset=x", ""),
    ],
)
def test_any_charset_but_utf_8_is_foreign(content_type: str, foreign: str) -> None:
    assert foreign_charset(content_type) == foreign

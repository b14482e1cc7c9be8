import pytest

from headrace.extensions.texts.names import is_plain


@pytest.mark.parametrize("name", ["content", "x_headrace", "$ref", "@type", "sgl.ext", "a:b/c-1"])
def test_what_programs_call_a_field_is_plain(name: str) -> None:
    assert is_plain(name)


@pytest.mark.parametrize("name", ["", "two words", "0451-ALPHA", "a\n", "na\u00efve", "x" * 65])
def test_what_may_be_words_is_not(name: str) -> None:
    assert not is_plain(name)

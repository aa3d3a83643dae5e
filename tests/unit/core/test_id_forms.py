"""Forms of ids: both sides come to the same, and nothing raises an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.id_forms import FORMS, parse_id_forms

UUID = "c41d07ea-2b3f-4e6a-9c58-7f10ab92de34"


@pytest.mark.parametrize(
    ("forms", "sent", "reported"),
    [
        ("casefold", UUID, UUID.upper()),
        ("strip-leading-zeros", "000ad51", "ad51"),
        ("strip-leading-zeros", "0", "0"),
        ("cut::", UUID, f"{UUID}:1"),
        ("cut:_", "a_b", "a_c"),
        ("strip-braces", "{9F2C}", "9F2C"),
        ("hexadecimal-sent", "6b2e40d1", "1798193361"),
        ("hexadecimal-reported", "1798193361", "6B2E40D1"),
        ("hexadecimal-sent", UUID, UUID),
        ("cut:: strip-braces casefold strip-leading-zeros", "{00AB}", "ab:2:3"),
        ("", "aB", "aB"),
    ],
)
def test_both_sides_come_to_the_same(forms: str, sent: str, reported: str) -> None:
    """However the provider writes it."""
    forms_of_account = parse_id_forms(forms.split())
    assert forms_of_account.unify_sent(sent) == forms_of_account.unify_reported(reported)


@pytest.mark.parametrize("name", ["upper", "cut:", "", "cut"])
def test_unknown_forms_are_refused(name: str) -> None:
    """With the names of those that there are."""
    with pytest.raises(ValueError, match="casefold, strip-leading-zeros"):
        parse_id_forms([name])


@given(st.lists(st.sampled_from([*FORMS, "cut::", "cut:-"]), max_size=4), st.text(min_size=1, max_size=128))
def test_any_id_keeps_something(names: list[str], text: str) -> None:
    """An id never becomes empty, and no form raises an error."""
    forms = parse_id_forms(names)
    assert forms.unify_sent(text)
    assert forms.unify_reported(text)

import pytest

from xpress.errors import InputError


@pytest.mark.parametrize("odd", ["\r", "\n", "\x1b[2J", "\u2028", "\x85", "\udc80", "\0"])
def test_a_message_is_one_line_whatever_a_name_holds(odd):
    told = str(InputError(f"a{odd}b.jpg: no such file; check the path"))
    assert told.isprintable()
    assert told.splitlines() == [told]
    assert told.startswith("a\\")
    assert str(InputError(told)) == told


def test_names_of_all_languages_stay_as_they_are():
    for name in ("Zoë's ½ café.jpg", "顔 写真.png", "😀.mp4", r"C:\n.jpg"):
        assert str(InputError(name)) == name

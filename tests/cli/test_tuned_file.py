"""Numbers written into a configuration file: those change, and not a byte beside them."""

from __future__ import annotations

import tomllib

import pytest

from demitasse.build.tuned_file import changed, write
from demitasse.core.errors import ConfigError

FILE = """# my models
[models.small]           # the small one
provider = "local"
source   = "smollm2-135m"
slots =  2   # was 4

# the big one
[models."big.one"]
provider = "openai"

[routes.auto]
ladder = ["small", "big.one"]
"""


def test_a_number_is_changed_in_its_line_and_a_new_one_is_added_at_the_tables_end():
    new = changed(FILE, "small", {"slots": 8, "threads": 2})
    assert new == FILE.replace("slots =  2   # was 4\n", "slots =  8   # was 4\nthreads = 2\n")


def test_a_quoted_name_and_windows_line_ends_are_kept():
    text = FILE.replace("\n", "\r\n")
    new = changed(text, "big.one", {"slots": 3})
    assert 'provider = "openai"\r\nslots = 3\r\n\r\n[routes.auto]' in new
    assert tomllib.loads(new)["models"]["big.one"]["slots"] == 3


def test_a_table_at_the_end_of_a_file_without_a_last_line_end():
    assert changed('[models.a]\nprovider = "local"', "a", {"slots": 1}) == '[models.a]\nprovider = "local"\nslots = 1\n'


@pytest.mark.parametrize(
    "text",
    [
        'models.small = {provider = "local"}\n',
        '[models]\nsmall = {provider = "local"}\n',
        '[models]\nsmall.provider = "local"\n',
        '[models.small]\nprovider = "local"\nregion = """\n[models.small]\n"""\n',
        '[models.other]\nprovider = "local"\n',
        "[models.small\n",
        '[models.small]\nprovider = "local"\nslots = "many"\n',
    ],
)
def test_what_is_not_sure_is_refused_with_what_to_write_by_hand(text):
    with pytest.raises(ConfigError, match=r"by hand: \[models.small\] slots = 4|not valid TOML"):
        changed(text, "small", {"slots": 4})


def test_the_file_is_replaced_whole_with_its_rights_and_left_alone_when_refused(tmp_path):
    path = tmp_path / "demitasse.toml"
    path.write_text(FILE)
    path.chmod(0o640)
    write(path, "small", {"slots": 8})
    assert path.read_text() == FILE.replace("=  2 ", "=  8 ")
    assert path.stat().st_mode & 0o777 == 0o640
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        write(path, "nobody", {"slots": 8})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["demitasse.toml"]

import os
import stat

import pytest

from fixlip.atomic import replace_whole, replacing


def test_a_file_is_new_or_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    replace_whole(path, b"one")
    assert path.read_bytes() == b"one"
    with pytest.raises(KeyboardInterrupt), replacing(path) as partial:
        partial.write_bytes(b"half of tw")
        assert path.read_bytes() == b"one"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"one" and os.listdir(tmp_path) == ["a.txt"]
    replace_whole(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(tmp_path) == ["a.txt"]


def test_the_partial_file_has_the_ending_that_says_its_kind(tmp_path):
    with replacing(tmp_path / "a.png") as partial:
        assert partial.suffix == ".png" and partial.parent == tmp_path
        partial.write_bytes(b"x")


def test_a_name_may_be_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("n" * 250 + ".html")
    replace_whole(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.skipif(os.name != "posix", reason="links and permissions of POSIX")
def test_links_and_permissions_stay(tmp_path):
    path, link = tmp_path / "a.txt", tmp_path / "link.txt"
    path.write_bytes(b"one")
    path.chmod(0o640)
    link.symlink_to(path)
    replace_whole(link, b"two")
    assert link.is_symlink() and path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_failure_to_write_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        replace_whole(tmp_path / "none" / "a.txt", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        replace_whole(tmp_path / "folder", b"x")
    assert os.listdir(tmp_path) == ["folder"]

"""Whatever happens to an experiment, its table ends up as that of an undisturbed run, byte by byte.

Where only the files matter, rows are made up instead of measured, which is quicker.
"""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fixlip.encoders.huggingface import Encoder
from fixlip.experiments import runner, tasks
from fixlip.experiments.runner import run
from fixlip.experiments.settings import Settings, explained
from fixlip.experiments.tables import SCORES

SETTINGS = Settings("insertion-deletion", "emoji-clip", (0.5,), 16)
NAME = "insertion-deletion-emoji-clip"
TABLE, CURVES = f"{NAME}.csv", f"{NAME}-curves.csv"
ITEMS, ROWS = 3, len(explained(SETTINGS))
POINTS = ROWS * 51
CODE = """
from fixlip.experiments.runner import run
from fixlip.experiments.settings import Settings
if __name__ == "__main__":
    run(Settings("insertion-deletion", "emoji-clip", (0.5,), 16), limit={limit}, out={out!r}, workers={workers})
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(SETTINGS, limit=ITEMS, out=folder, progress=False)
    return folder


def made_up(settings, encoder, item, seed):
    rng, caption = np.random.default_rng(seed), item.read()[1]
    for method, p in explained(settings):
        points = [{"removed": k / 50, "insert": float(rng.random()), "delete": float(rng.random())} for k in range(51)]
        scores = {name: float(rng.random()) for name in SCORES["insertion-deletion"]}
        yield {"caption": caption, "method": method, "p": p, **scores}, points


@pytest.fixture
def quick(monkeypatch):
    """Let items take no time."""
    monkeypatch.setitem(tasks.TASKS, "insertion-deletion", made_up)


@pytest.fixture(scope="module")
def made_up_whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made_up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(tasks.TASKS, "insertion-deletion", made_up)
        run(SETTINGS, limit=ITEMS, out=folder, progress=False)
    return folder


@pytest.fixture
def copy(made_up_whole, quick, tmp_path):
    """A copy of a whole run, to do damage to."""
    return shutil.copytree(made_up_whole, tmp_path / "copy")


@pytest.fixture
def ran(monkeypatch):
    """Names of the items that were run."""
    whole, names = runner.run_item, []

    def counted(settings, number, item, *rest):
        names.append(item.name)
        return whole(settings, number, item, *rest)

    monkeypatch.setattr(runner, "run_item", counted)
    return names


def go_on(folder, limit=ITEMS):
    return run(SETTINGS, limit=limit, out=folder, progress=False)


def assert_same(folder, undisturbed):
    for name in (TABLE, CURVES, f"{NAME}.md"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), name
    assert {path.suffix for path in folder.iterdir()} == {".csv", ".md", ".html", ".settings"}


# ---- damage


def cut(table, rows, partial_row=0):
    """Keep a table's header, so many rows, and so many bytes of the next."""
    lines = table.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join(lines[: rows + 1]) + b"".join(lines[rows + 1 :])[:partial_row])


@pytest.mark.parametrize(
    ("rows", "partial_row", "again"),
    [
        (-1, 0, [0, 1, 2]),  # empty
        (-1, 9, [0, 1, 2]),  # in the header
        (0, 0, [0, 1, 2]),
        (0, 12, [0, 1, 2]),  # in the first row of an item
        (ROWS, 12, [1, 2]),
        (2 * ROWS + 2, 0, [2]),  # two of its rows
        (2 * ROWS + 3, 70, [2]),  # in a number
        (3 * ROWS - 1, -1, [2]),  # the last line's end
    ],
)
def test_a_table_that_was_cut_is_completed(rows, partial_row, again, copy, made_up_whole, ran, caplog):
    cut(copy / TABLE, rows, partial_row)
    go_on(copy)
    assert ran == [f"scene {k}" for k in again]
    assert_same(copy, made_up_whole)
    if rows > 0 or partial_row:
        (sentence,) = caplog.messages
        assert "held rows that were cut, damaged or doubled; they are dropped, and their items run again" in sentence


def test_curves_that_were_cut_are_completed_together_with_the_table(copy, made_up_whole, ran):
    cut(copy / CURVES, POINTS + 17, 5)
    go_on(copy)
    assert ran == ["scene 1", "scene 2"]
    assert_same(copy, made_up_whole)


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: b'"' + line,
        lambda line: line.replace(b"0.5", b"0.7"),
        lambda line: line.replace(b"scene 1", b"scene \xff"),
        lambda line: bytes(len(line) - 1) + b"\n",
        lambda line: line[:-3] + b"x\n",
        lambda line: b"",
        lambda line: line + line,
    ],
)
def test_a_damaged_row_costs_its_item_and_no_other(damage, copy, made_up_whole, ran):
    lines = (copy / TABLE).read_bytes().splitlines(keepends=True)
    lines[1 + ROWS + 2] = damage(lines[1 + ROWS + 2])
    (copy / TABLE).write_bytes(b"".join(lines))
    go_on(copy)
    assert ran == ["scene 1"]
    assert_same(copy, made_up_whole)


def test_items_that_stand_there_twice_count_once(copy, made_up_whole, ran):
    for name in (TABLE, CURVES):
        header, *lines = (copy / name).read_bytes().splitlines(keepends=True)
        (copy / name).write_bytes(header + b"".join(lines + lines[: len(lines) // ITEMS]))
    go_on(copy)
    assert ran == []
    assert_same(copy, made_up_whole)


def test_a_smaller_limit_keeps_the_other_items_but_does_not_count_them(copy, made_up_whole, ran, tmp_path):
    go_on(copy, limit=1)
    assert ran == [] and (copy / TABLE).read_bytes() == (made_up_whole / TABLE).read_bytes()
    few = tmp_path / "few"
    go_on(few, limit=1)
    for name in (f"{NAME}.md", f"{NAME}.html"):
        # Names that bokeh draws by chance aside, the figure shows the same.
        assert len((copy / name).read_bytes()) == pytest.approx(len((few / name).read_bytes()), abs=500)
    assert (copy / f"{NAME}.md").read_bytes() == (few / f"{NAME}.md").read_bytes()


# ---- interruption


@pytest.mark.slow
@pytest.mark.parametrize("call", [2, 3, 5])
def test_an_interruption_ends_the_run_and_drops_the_item_in_work(call, tmp_path, undisturbed, monkeypatch):
    """Each item encodes many times: masked images, and the subsets of every method's curves."""
    whole, calls = Encoder.embed_images, []

    def embed_images(self, pixels, masks):
        calls.append(len(masks))
        if len(calls) == call:
            yield from whole(self, pixels, masks[: len(masks) // 2])
            raise KeyboardInterrupt
        yield from whole(self, pixels, masks)

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "embed_images", embed_images)
        with pytest.raises(KeyboardInterrupt):
            go_on(tmp_path)
    assert len(calls) == call
    go_on(tmp_path)
    assert_same(tmp_path, undisturbed)


def start(folder, limit, workers=1):
    code = CODE.format(limit=limit, out=str(folder), workers=workers)
    script = folder.parent / "script.py"
    script.write_text(code)
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, str(script)], **options)


def wait_for_an_item(process, folder):
    while process.poll() is None:
        if (folder / CURVES).exists() and (folder / CURVES).stat().st_size > 1000:
            return
        time.sleep(0.01)
    pytest.fail(f"ended early: {process.communicate()}")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_run_goes_on(tmp_path, undisturbed, ran):
    process = start(tmp_path / "out", limit=40)
    wait_for_an_item(process, tmp_path / "out")
    with pytest.raises(ValueError, match=f"out: another run .process {process.pid} on .*. is writing .*; wait until"):
        go_on(tmp_path / "out")
    assert ran == []
    process.kill()
    process.communicate()
    assert (tmp_path / "out" / f"{NAME}.lock").exists()
    # More items may have been finished than are asked for here.
    done = len((tmp_path / "out" / TABLE).read_bytes().splitlines()) // ROWS
    go_on(tmp_path / "out")
    assert len(ran) == max(0, ITEMS - done)
    for name in (TABLE, CURVES):
        assert (tmp_path / "out" / name).read_bytes().startswith((undisturbed / name).read_bytes())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_stops_workers_too(tmp_path):
    process = start(tmp_path / "out", limit=40, workers=2)
    wait_for_an_item(process, tmp_path / "out")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=180)
    assert process.returncode != 0 and errors.strip().splitlines()[-1].startswith("KeyboardInterrupt")
    assert not (tmp_path / "out" / f"{NAME}.lock").exists()
    rows = (tmp_path / "out" / TABLE).read_bytes().splitlines()
    assert len(rows) % ROWS == 1 and len(rows) < 1 + 40 * ROWS


# ---- no room


@pytest.fixture
def full_disk():
    """Call it with a size: no file may grow larger, and what fits before that is written, as on a disk that fills."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


NO_ROOM = "out: cannot write '.*csv' .*; what was finished is kept, and the same command goes on from there"


@pytest.mark.parametrize("name", [TABLE, CURVES])
def test_a_disk_that_fills_while_rows_are_added(name, copy, made_up_whole, full_disk, ran):
    for table, rows in ((TABLE, ROWS), (CURVES, POINTS)):
        cut(copy / table, rows)
    if name == CURVES:  # the longer file
        full_disk((copy / CURVES).stat().st_size + 500)
    else:
        (copy / CURVES).unlink()
        (copy / TABLE).unlink()
        full_disk(1300)
    before = {path.name: path.read_bytes() for path in copy.glob("*.csv")}
    with pytest.raises(ValueError, match=NO_ROOM):
        go_on(copy)
    for path, content in before.items():
        assert (copy / path).read_bytes().startswith(content)
    assert (copy / CURVES).read_bytes() == before[CURVES] if name == CURVES else not before
    full_disk(-1)
    ran.clear()
    go_on(copy)
    assert_same(copy, made_up_whole)


def test_a_disk_that_is_full_when_the_table_is_put_in_order(copy, made_up_whole, full_disk, ran):
    for name, each in ((TABLE, ROWS), (CURVES, POINTS)):
        header, *lines = (copy / name).read_bytes().splitlines(keepends=True)
        (copy / name).write_bytes(header + b"".join(lines[each:] + lines[:each]))
    before = {name: (copy / name).read_bytes() for name in (TABLE, CURVES)}
    full_disk(1300)
    with pytest.raises(ValueError, match=NO_ROOM):
        go_on(copy)
    full_disk(-1)
    assert {name: (copy / name).read_bytes() for name in (TABLE, CURVES)} == before
    assert not list(copy.glob(".fixlip-*"))
    go_on(copy)
    assert ran == []
    assert_same(copy, made_up_whole)


@pytest.mark.slow
def test_two_workers_give_the_same_table_as_one_also_after_a_full_disk(tmp_path, undisturbed, full_disk):
    full_disk((undisturbed / CURVES).stat().st_size * 2 // 3 - 500)
    with pytest.raises(ValueError, match=NO_ROOM):
        run(SETTINGS, limit=ITEMS, out=tmp_path, workers=2, progress=False)
    full_disk(-1)
    run(SETTINGS, limit=ITEMS, out=tmp_path, workers=2, progress=False)
    for name in (TABLE, CURVES):
        one, two = ((folder / name).read_text().splitlines() for folder in (undisturbed, tmp_path))
        assert one[0] == two[0]
        for first, second in zip(one[1:], two[1:], strict=True):
            (*keys, high, low), (*same, other_high, other_low) = first.split(","), second.split(",")
            # Another number of threads adds up in another order.
            numbers = [float(other_high), float(other_low)]
            assert keys == same and [float(high), float(low)] == pytest.approx(numbers, abs=0.02)

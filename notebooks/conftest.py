"""nbval compares all stored outputs but these: pictures differ by the font and library version, stderr by the speed."""


def pytest_collectstart(collector):
    """Called by pytest for every notebook, before its cells are run."""
    if collector.fspath and collector.fspath.ext == ".ipynb":
        collector.skip_compare += ("image/png", "stderr")

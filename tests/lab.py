"""JupyterLab or Notebook 7 in a headless browser, with a notebook whose cells have been run."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "fixlip"
PATHS = {"lab": "lab/tree", "notebook": "notebooks"}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


def need_chromium():
    """Skip the test where there is no Chromium, but fail in CI."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed, and in CI the browser tests must not skip.")
        pytest.skip("Chromium is not installed: `apt-get install chromium`, or name it in CHROMIUM.")


@contextmanager
def chromium_page():
    """Yield a Playwright page of headless Chromium."""
    need_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser.new_page(viewport={"width": 1100, "height": 1400})
        finally:
            browser.close()


@contextmanager
def running_notebook(home, cells, ready, app="lab"):
    """Yield a Playwright page of a notebook whose cells run, and a list of what it asked for outside this machine.

    Args:
        home: an empty folder: the server's home, and where the notebook lies.
        cells: sources of code cells.
        ready: CSS selector of what the last cell shows.
        app: "lab" or "notebook".
    """
    need_chromium()
    home = Path(home)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, home / "widgets.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base, asked = f"http://127.0.0.1:{port}", []
    with open(home / "lab.log", "w") as log:
        server = _start(home, port, log, app)
        try:
            _wait_for(f"{base}/api/status?token={TOKEN}", server)
            with chromium_page() as page:

                def only_here(route):
                    if route.request.url.startswith((base, "data:", "blob:")):
                        route.continue_()
                    else:
                        asked.append(route.request.url)
                        route.abort()

                page.route("**/*", only_here)
                page.goto(f"{base}/{PATHS[app]}/widgets.ipynb?token={TOKEN}")
                is_ready = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.isReady === true"
                page.wait_for_function(is_ready, timeout=60_000)
                page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
                page.wait_for_selector(ready, timeout=120_000)
                yield page, asked
        finally:
            server.terminate()
            server.wait(20)


def _start(home, port, log, app):
    # The widgets' own lab extensions lie in the environment; only what a user keeps is replaced.
    folders = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    environment = os.environ | folders | {"HOME": str(home), "IPYTHONDIR": str(home / "ipython")}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent.parent), environment.get("PYTHONPATH", "")])
    module, name = {"lab": ("jupyterlab", "LabApp"), "notebook": ("notebook", "JupyterNotebookApp")}[app]
    command = [sys.executable, "-m", module, "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
    command += [f"--{name}.expose_app_in_browser=True"]
    return subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT)


def _wait_for(address, server):
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start.")


def drag(page, slider, share):
    """Drag a slider's handle by hand to a share of its track."""
    handle = slider.locator(".noUi-handle").first
    handle.scroll_into_view_if_needed()
    track, at = slider.locator(".noUi-base").first.bounding_box(), handle.bounding_box()
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + share * track["width"], at["y"] + at["height"] / 2, steps=6)
    page.mouse.up()

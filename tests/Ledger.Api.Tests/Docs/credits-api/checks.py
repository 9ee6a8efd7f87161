"""For the checks: runs a snippet beside it, asks the server without the client, and reports figures to the test that started the check."""

import contextlib
import io
import json
import os
import pathlib
import runpy

import requests


def run(name, **given):
    """Runs a snippet with these names given. Returns its names and the lines that it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        names = runpy.run_path(str(pathlib.Path(__file__).with_name(name)), given, "__main__")
    print(out.getvalue(), end="")
    return names, out.getvalue().splitlines()


def wire(path=""):
    """What the server answers under /api/v1/credits."""
    response = requests.get(
        os.environ["AUDIOPOD_BASE_URL"] + "/api/v1/credits" + path,
        headers={"Authorization": "Bearer " + os.environ["AUDIOPOD_API_KEY"]},
        timeout=30,
    )
    response.raise_for_status()
    return response.json()


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def report(**figures):
    """The last line of every check."""
    print(json.dumps(figures))

"""What pip is configured with reaches pip and uv, and nothing else does."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lakehouse import indexes

BARE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@pytest.fixture
def configured(tmp_path: Path) -> dict[str, str]:
    """An environment whose pip has a configuration file, and a variable that beats it."""
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://global.example/simple\nextra-index-url =\n    https://a.example\n    https://b.example\n"
        "timeout = 7\nuser = true\ntarget = /somewhere\n[install]\ntrusted-host = a.example b.example\nindex-url = https://install.example\n"
    )
    return BARE | {"PIP_CONFIG_FILE": str(file), "PIP_TIMEOUT": "9"}


def test_pips_files_and_variables_are_read_in_pips_own_order(configured: dict[str, str]) -> None:
    settings = indexes.pip_settings(sys.executable, configured)
    assert settings["index-url"] == "https://install.example"
    assert settings["timeout"] == "9"
    assert settings["extra-index-url"].split() == ["https://a.example", "https://b.example"]
    assert "user" not in settings
    assert "target" not in settings


def test_uv_is_told_the_same_in_its_own_words(configured: dict[str, str]) -> None:
    variables = indexes.for_uv(indexes.pip_settings(sys.executable, configured), {})
    assert variables["UV_DEFAULT_INDEX"] == "https://install.example"
    assert variables["UV_INDEX"] == "https://a.example https://b.example"
    assert variables["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert variables["UV_INSECURE_HOST"] == "a.example b.example"
    assert variables["UV_HTTP_TIMEOUT"] == "9"


UV = {
    "a certificate file": ({"cert": __file__}, {"SSL_CERT_FILE": __file__}),
    "a folder of certificates": ({"cert": "/"}, {"SSL_CERT_DIR": "/"}),
    "a client certificate": ({"client-cert": "/c.pem"}, {"SSL_CLIENT_CERT": "/c.pem"}),
    "a proxy": ({"proxy": "http://p.example:1"}, {"HTTPS_PROXY": "http://p.example:1", "HTTP_PROXY": "http://p.example:1"}),
    "folders of wheels, one of which is not there": ({"find-links": "/ /nonexistent"}, {"UV_FIND_LINKS": "/"}),
    "a keyring": ({"keyring-provider": "import"}, {"UV_KEYRING_PROVIDER": "subprocess"}),
    "no keyring": ({"keyring-provider": "disabled"}, {}),
}


@pytest.mark.parametrize(("settings", "expected"), UV.values(), ids=UV.keys())
def test_each_setting_has_its_word_for_uv(settings: dict[str, str], expected: dict[str, str]) -> None:
    assert indexes.for_uv(settings, {}).items() - indexes.for_uv({}, {}).items() == expected.items()


def test_what_the_user_told_uv_itself_wins() -> None:
    variables = indexes.for_uv({"index-url": "https://pip.example"}, {"UV_DEFAULT_INDEX": "https://uv.example"})
    assert "UV_DEFAULT_INDEX" not in variables


HOSTILE = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "UV_NO_VERIFY_HASHES", "UV_PYTHON")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_lead_our_tools_astray_is_dropped(name: str) -> None:
    assert indexes.for_tools(BARE | {name: "1"}) == BARE


def test_pip_reads_no_file_again() -> None:
    variables = indexes.for_pip({"extra-index-url": "https://a.example"})
    assert variables["PIP_CONFIG_FILE"] == os.devnull
    assert variables["PIP_EXTRA_INDEX_URL"] == "https://a.example"


def test_a_package_in_a_folder_is_found_by_both_without_a_network(tmp_path: Path) -> None:
    hashed = _wheel(tmp_path / "some wheels")
    lock = tmp_path / "lock.txt"
    lock.write_text(f"tiny==1.0 --hash=sha256:{hashed}\n")
    link = tmp_path / "wheels"  # pip splits the setting at spaces
    link.symlink_to(tmp_path / "some wheels")
    settings = {"find-links": str(link), "no-index": "true"}
    clean = indexes.for_tools(os.environ) | {"UV_CACHE_DIR": str(tmp_path / "cache")}
    environ = clean | indexes.for_pip(settings) | indexes.for_uv(settings, clean)
    pip = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "pip")]
    uv = [str(Path(sys.prefix) / "bin" / "uv"), "pip", "install", *indexes.uv_options(settings), "--target", str(tmp_path / "uv")]
    for command in (pip, uv):
        done = subprocess.run([*command, "--require-hashes", "-r", str(lock)], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "pip" / "tiny.py").exists()
    assert (tmp_path / "uv" / "tiny.py").exists()


def _wheel(folder: Path) -> str:
    """Write the smallest wheel there is; its SHA-256."""
    folder.mkdir()
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\ntiny-1.0.dist-info/METADATA,,\ntiny-1.0.dist-info/WHEEL,,\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()

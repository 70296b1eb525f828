from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakehouse.errors import SetupError
from lakehouse.spark import java


def fake_java(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    binary = folder / "bin" / "java"
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    binary.chmod(0o755)
    return folder


def test_the_bundled_java_is_used_where_java_home_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = java.find()
    assert found.bundled and found.version >= java.OLDEST and os.access(found.binary, os.X_OK)


@pytest.mark.parametrize("version, major", [("17.0.15", 17), ("21", 21), ("25-ea", 25)])
def test_java_home_is_used_where_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: int) -> None:
    home = fake_java(tmp_path / "a java", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find() == java.Java(home / "bin" / "java", major, bundled=False)


@pytest.mark.parametrize("version, major", [("1.8.0_311", 8), ("11.0.2", 11), ("16.0.1", 16)])
def test_an_old_java_is_refused_naming_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, major: int
) -> None:
    home = fake_java(tmp_path, version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(SetupError, match=f"JAVA_HOME={home} is Java {major}; Spark needs Java 17 or newer") as caught:
        java.find()
    assert "Unset JAVA_HOME" in caught.value.hint


def test_the_release_file_spares_starting_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_java(tmp_path, "21.0.8")
    (home / "release").write_text('IMPLEMENTOR="X"\nJAVA_VERSION="1.8.0_311"\n')
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(SetupError, match="is Java 8"):
        java.find()


def test_a_java_home_without_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(SetupError, match="holds no bin/java"):
        java.find()


def test_a_java_that_says_nothing_of_its_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = fake_java(tmp_path, "nonsense")
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(SetupError, match="did not say which version it is"):
        java.find()


def test_java_trusts_what_python_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java.trusted_certificates()
    options = java.network_options(java.find(), tmp_path)
    assert f"-Djavax.net.ssl.trustStore={tmp_path / 'trust.p12'}" in options
    assert (tmp_path / "trust.p12").stat().st_size > 1000


def test_certificates_are_also_found_in_a_folder_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    der = java.trusted_certificates()[0]
    (tmp_path / "one.crt").write_text(ssl.DER_cert_to_PEM_cert(der))
    for name in java.CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert java.trusted_certificates() == [der]


def test_java_takes_pythons_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    options = java.network_options(java.Java(Path("java"), 21, bundled=False), tmp_path)
    assert options == ["-Dhttps.proxyHost=proxy.example", "-Dhttps.proxyPort=3128"]

"""Fetches only from a mirror on the disk, made of the jars in the cache."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import pytest

from lakehouse.errors import SetupError
from lakehouse.settings import Settings
from lakehouse.spark import jars

POM = (
    "<project><modelVersion>4.0.0</modelVersion><groupId>{0.organisation}</groupId>"
    "<artifactId>{0.module}</artifactId><version>{0.revision}</version></project>"
)
MIRROR = (
    '<ivysettings><settings defaultResolver="mirror"/><resolvers>'
    '<ibiblio name="mirror" m2compatible="true" root="{}"/></resolvers></ivysettings>'
)


@pytest.fixture(scope="session")
def originals(settings: Settings) -> dict[str, Path]:
    return {path.name: path for path in jars.ensure(settings)}


@pytest.fixture
def mirror(tmp_path: Path, originals: dict[str, Path]) -> Path:
    """A repository of Java packages in a folder."""
    root = tmp_path / "mirror"
    for jar in jars.JARS:
        folder = root / jar.organisation.replace(".", "/") / jar.module / jar.revision
        folder.mkdir(parents=True)
        shutil.copy(originals[jar.name], folder)
        (folder / jar.name).with_suffix(".pom").write_text(POM.format(jar))
    return root


@pytest.fixture
def cold(tmp_path: Path, mirror: Path) -> Settings:
    """An empty cache, and the mirror to fill it from."""
    (tmp_path / "ivy settings.xml").write_text(MIRROR.format(mirror.as_uri()))
    return Settings(project=tmp_path, cache=tmp_path / "a cache", ivy_settings=Path("ivy settings.xml"))


def test_jars_are_fetched_once_from_the_mirror(cold: Settings, mirror: Path) -> None:
    first = jars.ensure(cold)
    assert [path.name for path in first] == [jar.name for jar in jars.JARS]
    assert all(path.exists() for path in first)
    shutil.rmtree(mirror)
    assert jars.ensure(cold) == first
    left = {path.name for path in (cold.cache / "jars").iterdir()}
    assert left == {path.name for path in first} | {jars.RECORD, ".lock"}


def test_a_damaged_jar_is_named_and_fetched_again(cold: Settings, caplog: pytest.LogCaptureFixture) -> None:
    victim = jars.ensure(cold)[1]
    victim.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        jars.ensure(cold)
    assert f"{victim} is damaged" in caplog.text
    assert victim.stat().st_size > 1000


def test_a_jar_that_was_only_touched_is_kept(cold: Settings, mirror: Path) -> None:
    victim = jars.ensure(cold)[1]
    shutil.rmtree(mirror)
    victim.touch()
    assert victim in jars.ensure(cold)


def test_without_network_and_cache_the_jar_and_the_way_out_are_named(cold: Settings, mirror: Path) -> None:
    shutil.rmtree(mirror)
    with pytest.raises(SetupError, match=r"delta-spark_4.2_2.13-4.4.0.jar could not be fetched") as caught:
        jars.ensure(cold)
    assert "LAKEHOUSE_IVY_SETTINGS" in caught.value.hint


def test_another_file_than_the_pinned_one_is_refused(cold: Settings, mirror: Path) -> None:
    next(mirror.rglob("delta-storage-*.jar")).write_bytes(b"something else")
    with pytest.raises(SetupError, match=r"delta-storage-4.4.0.jar as fetched is not the file .* SHA-256"):
        jars.ensure(cold)
    assert not (cold.cache / "jars" / "delta-storage-4.4.0.jar").exists()


def test_a_cache_that_cannot_be_written_is_named(cold: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be used") as caught:
        jars.ensure(cold.model_copy(update={"cache": tmp_path / "file"}))
    assert "LAKEHOUSE_CACHE" in caught.value.hint

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakehouse.errors import ServiceError
from lakehouse.kernels import rendezvous


def test_a_folder_that_others_may_enter_is_refused(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    with pytest.raises(ServiceError, match="mode 0755"):
        rendezvous.private_folder(shared)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_elses_is_refused(tmp_path):
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, 12345, 12345)
    with pytest.raises(ServiceError, match="not a folder of yours"):
        rendezvous.private_folder(foreign)


def test_a_link_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ServiceError, match="not a folder of yours"):
        rendezvous.private_folder(tmp_path / "link")


def test_the_socket_is_private_and_replaces_an_earlier_one(tmp_path):
    path = tmp_path / "x.sock"
    first = rendezvous.listen(path)
    second = rendezvous.listen(path)
    try:
        assert path.stat().st_mode & 0o777 == 0o600
        channel = rendezvous.connect(path)
        assert channel.peer() == (os.getpid(), os.getuid())
        channel.close()
    finally:
        first.close()
        second.close()
    assert rendezvous.connect(path) is None


def test_the_longest_lake_path_has_an_address_short_enough_for_a_socket():
    root = Path("/" + "/".join(["deep folder"] * 100))
    assert len(str(rendezvous.address(root))) < 100

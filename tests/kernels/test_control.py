from __future__ import annotations

import json
import time

import pytest

from lakehouse import kernels, services
from lakehouse.errors import ServiceError
from lakehouse.kernels import control, preload, rendezvous

ENSURE = "from lakehouse import kernels, settings; print('pid', kernels.ensure(settings.load()).pid)"


def test_two_at_once_start_one(place):
    kernels.stop(place.settings)
    both = [place.python(ENSURE) for _ in range(2)]
    said = {process.communicate(timeout=120)[0].strip() for process in both}
    assert said == {f"pid {kernels.running(place.settings).pid}"}
    assert len(place.processes()) == 1


def test_it_is_listed_as_a_service_of_the_lake(place):
    fork = kernels.ensure(place.settings)
    assert services.read(place.settings, "kernels").pid == fork.pid


def test_another_fingerprint_replaces_the_fork_process_and_its_kernels_live_on(kernel, place, monkeypatch, eventually):
    before = kernel()
    old = kernels.running(place.settings)
    monkeypatch.setattr(preload, "fingerprint", lambda: "another")
    after = kernel()
    new = kernels.running(place.settings)
    assert (new.pid, new.fingerprint) != (old.pid, old.fingerprint) and new.fingerprint == "another"
    assert new.kernels == (after.provisioner.pid,)
    assert before.run("print('alive')") == "alive"
    before.close()
    assert eventually(lambda: old.pid not in place.processes(), 10)


def test_stop_ends_its_kernels_too(kernel, place):
    started = kernel()
    began = time.monotonic()
    assert kernels.stop(place.settings)
    assert not started.manager.is_alive()
    assert time.monotonic() - began < 10
    assert place.processes() == {}
    assert not kernels.stop(place.settings)
    assert services.read(place.settings, "kernels") is None


def test_a_failed_start_is_not_tried_again_and_again(place, monkeypatch):
    kernels.stop(place.settings)
    # Without what tells the libraries not to, they start threads while they are imported.
    monkeypatch.setattr(preload, "environment", lambda: place.environ)
    with pytest.raises(ServiceError, match="threads of their own"):
        kernels.ensure(place.settings)
    began = time.monotonic()
    with pytest.raises(ServiceError, match="threads of their own"):
        kernels.ensure(place.settings)
    assert time.monotonic() - began < 1
    kernels.stop(place.settings)
    assert not control.failure_note(rendezvous.address(place.settings.root)).exists()


def test_the_kernelspec_names_the_provisioner_and_the_environments_python(tmp_path):
    folder = kernels.install_kernelspec(tmp_path)
    spec = json.loads((folder / "kernel.json").read_text())
    assert folder == tmp_path / "share" / "jupyter" / "kernels" / "lakehouse"
    assert spec["argv"][0].startswith(str(tmp_path / "bin"))
    assert spec["metadata"]["kernel_provisioner"] == {"provisioner_name": "lakehouse-warm"}

"""The leak check before a model is judged: of the tables it was trained on that nobody looked at since their code changed.

A probe runs a notebook itself, so it is run by whoever runs the judging notebook, before its kernel starts.
"""

from __future__ import annotations

from lakehouse import inputs
from lakehouse.leaks import check
from lakehouse.leaks.outcome import Outcome
from lakehouse.notebook import NotebookSpec
from lakehouse.project import Project
from lakehouse.promotion import contract as contracts
from lakehouse.promotion import facts
from lakehouse.settings import Settings


def ensure(project: Project, settings: Settings, spec: NotebookSpec) -> list[Outcome]:
    """Looks for leaks in the newest partition of each table that a model to be judged by `spec` was trained on.

    Nothing is done where the present code has been looked at, or the contract switches that gate off. Returns what was found;
    what leaks is told by the verdict. Raises what `leaks.check.look` raises.
    """
    found: list[Outcome] = []
    for judged in spec.models_judged:
        contract = project.model_contracts.get(judged.table) or contracts.default(judged.table)
        newest = inputs.newest_model(project, settings.root, judged.table)
        if newest is None or contract.gates.leaks is False:
            continue
        for table in facts.checkable(project, settings.root, judged.table, newest.version):
            if not facts.present(project, settings.root, table):
                found.append(check.look(project, settings, table))
    return found

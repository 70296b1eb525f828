"""A project: its notebooks, contracts and sources, and the graph they make."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from lakehouse import contract as contracts
from lakehouse import notebook as notebooks
from lakehouse import source as sources
from lakehouse.contract import Contract
from lakehouse.errors import NotebookError, PartitionError, UnknownName
from lakehouse.finding import Finding
from lakehouse.names import TableName, did_you_mean
from lakehouse.notebook import NotebookSpec
from lakehouse.partitions import ALL, PartitionSpace
from lakehouse.promotion import contract as promotion
from lakehouse.promotion.contract import ModelContract
from lakehouse.source import Source, Stream


@dataclass
class Project:
    """What the files of the folder `path` say. What cannot be read is left out and stands in `problems`.

    An asset is a notebook (by its own name) or a source (by its raw table). Exploring notebooks are in no graph.
    """

    path: Path
    notebooks: Mapping[TableName, NotebookSpec]
    explore: Mapping[TableName, NotebookSpec]
    contracts: Mapping[TableName, Contract]
    model_contracts: Mapping[TableName, ModelContract] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Project:
        """Reads notebooks and contracts; sources.py is run only when sources are asked for."""
        problems: list[Finding] = []
        specs = _notebooks(path, problems)
        return cls(
            path=path,
            notebooks={name: spec for name, spec in specs.items() if not spec.explore},
            explore={name: spec for name, spec in specs.items() if spec.explore},
            contracts=_contracts(path, problems),
            model_contracts=_model_contracts(path, problems),
            problems=problems,
        )

    @cached_property
    def sources(self) -> Mapping[TableName, Source | Stream]:
        """The declared sources and streams by raw table. Raises SourceError if sources.py fails."""
        return sources.load(self.path)

    @property
    def assets(self) -> tuple[TableName, ...]:
        """All assets, sorted by name."""
        return tuple(sorted({*self.notebooks, *self.sources}))

    @cached_property
    def writers(self) -> Mapping[TableName, tuple[TableName, ...]]:
        """For each table, model and raw table, the assets that write it: one, when nothing is wrong."""
        found: dict[TableName, list[TableName]] = {name: [name] for name in self.sources}
        for name, spec in sorted(self.notebooks.items()):
            for table in spec.outputs:
                found.setdefault(table, []).append(name)
        return {table: tuple(names) for table, names in found.items()}

    def writer_of(self, table: TableName) -> TableName | None:
        """The asset that writes a table or model, or None."""
        return self.writers.get(table, (None,))[0]

    @cached_property
    def judges(self) -> Mapping[TableName, tuple[TableName, ...]]:
        """For each model that is judged, the notebooks that do (`lake.promote`): one, when nothing is wrong."""
        found: dict[TableName, list[TableName]] = {}
        for name, spec in sorted(self.notebooks.items()):
            for model in dict.fromkeys(write.table for write in spec.models_judged):
                found.setdefault(model, []).append(name)
        return {model: tuple(names) for model, names in found.items()}

    def judge_of(self, model: TableName) -> TableName | None:
        """The notebook that judges a model, or None: then each new version is its champion at once."""
        return self.judges.get(model, (None,))[0]

    def judges_above(self, spec: NotebookSpec) -> tuple[TableName, ...]:
        """The notebooks that judge the models whose champion `spec` loads or scores, sorted."""
        champions = {read.table for read in spec.models_read if read.coverage != ALL}
        found = {judge for model in champions if (judge := self.judge_of(model)) is not None}
        return tuple(sorted(found - {spec.name}))

    @property
    def tables(self) -> tuple[TableName, ...]:
        """Everything that can be read: raw tables, tables and models."""
        return tuple(sorted({*self.writers, *self.contracts}))

    def is_of_files(self, table: TableName) -> bool:
        """Whether `table` is raw files. What a stream lands is raw too, but a Delta table."""
        return table.layer == "raw" and not isinstance(self.sources.get(table), Stream)

    def notebook(self, asset: TableName | str) -> NotebookSpec:
        """The notebook of that name, exploring ones included. Raises UnknownName."""
        name = TableName.parse_notebook(asset) if isinstance(asset, str) else asset
        spec = self.notebooks.get(name) or self.explore.get(name)
        if spec is None:
            known = [*self.notebooks, *self.explore]
            raise UnknownName(
                f"There is no notebook {name.slashed}",
                f"It would be {notebooks.FOLDER}/{name.slashed}.ipynb.{did_you_mean(name, known)}",
            )
        return spec

    def partitions_of(self, asset: TableName) -> PartitionSpace | None:
        """The partitions of an asset (of what it writes), None if it has none."""
        if asset in self.contracts:
            return self.contracts[asset].partitions
        if asset.layer == "raw":
            return self.sources[asset].partitions if asset in self.sources else None
        spec = self.notebooks.get(asset)
        own = [self.contracts[table].partitions for table in spec.outputs if table in self.contracts] if spec else []
        return next((space for space in own if space is not None), None)

    def backfill_chunk(self, asset: TableName) -> int | None:
        """How many of its partitions one run takes at most: the smallest that the contracts of its tables say; None: all."""
        spec = self.notebooks.get(asset)
        said = [self.contracts[table].backfill_chunk for table in (spec.outputs if spec else ()) if table in self.contracts]
        return min((one for one in said if one is not None), default=None)

    def bind(self, asset: TableName, values: Mapping[str, object], today: date | None = None) -> dict[str, Any]:
        """The notebook's parameters, typed, its partitions existing ones. Raises ParameterError, PartitionError."""
        spec = self.notebook(asset)
        bound = spec.bind(values)
        space, own = self.partitions_of(asset), spec.partition_parameter
        if space is not None and own is not None:
            try:
                bound[own.name] = list(space.existing(bound[own.name], today))
            except PartitionError as error:
                raise PartitionError(f"{spec.file}, parameter {own.name}: {error.what}", error.hint) from None
        return bound

    def referenced(self, spec: NotebookSpec) -> tuple[TableName, ...]:
        """The tables that what `spec` writes refers to, other than its own: they are there before it runs."""
        found = {one.to for table in spec.outputs if table in self.contracts for one in self.contracts[table].references}
        return tuple(sorted(found - {*spec.outputs}))

    @cached_property
    def _edges(self) -> tuple[dict[TableName, tuple[TableName, ...]], dict[TableName, tuple[TableName, ...]]]:
        above: dict[TableName, set[TableName]] = {asset: set() for asset in self.assets}
        below: dict[TableName, set[TableName]] = {asset: set() for asset in self.assets}
        for name, spec in self.notebooks.items():
            writers = {self.writer_of(table) for table in (*spec.inputs, *self.referenced(spec))}
            for writer in {*writers, *self.judges_above(spec)} - {None, name}:
                above[name].add(writer)
                below[writer].add(name)
        return _sorted(above), _sorted(below)

    def parents(self, asset: TableName) -> tuple[TableName, ...]:
        """The assets that it reads from or refers to, and those that judge a model whose champion it uses; sorted."""
        return self._edges[0].get(asset, ())

    def children(self, asset: TableName) -> tuple[TableName, ...]:
        """The assets that read from it or refer to it, or use the champion of a model that it judges; sorted."""
        return self._edges[1].get(asset, ())

    def ancestors(self, asset: TableName) -> set[TableName]:
        return _reach(self._edges[0], asset)

    def descendants(self, asset: TableName) -> set[TableName]:
        return _reach(self._edges[1], asset)

    def longest_chains(self, seconds: Mapping[TableName, float]) -> dict[TableName, float]:
        """For each asset the seconds of the longest chain that begins with it; those not in `seconds` count one."""
        chains: dict[TableName, float] = {}
        for asset in reversed(self.order()):
            below = max((chains.get(child, 0.0) for child in self.children(asset)), default=0.0)
            chains[asset] = seconds.get(asset, 1.0) + below
        return chains

    def order(self) -> tuple[TableName, ...]:
        """All assets, each after its parents, the same each time. Assets on a cycle come last."""
        above, below = self._edges
        waiting = {asset: len(parents) for asset, parents in above.items()}
        ready = [asset for asset, count in waiting.items() if not count]
        heapq.heapify(ready)
        done: list[TableName] = []
        while ready:
            asset = heapq.heappop(ready)
            done.append(asset)
            for child in below[asset]:
                waiting[child] -= 1
                if not waiting[child]:
                    heapq.heappush(ready, child)
        return (*done, *sorted(set(above) - set(done)))

    def select(self, selection: Iterable[str]) -> tuple[TableName, ...]:
        """Assets by name (of the asset or a table it writes), in the graph's order.

        `+x` adds all above x, `x+` all below, `silver/*` is a layer and `*` everything. Raises UnknownName.
        """
        chosen: set[TableName] = set()
        for wanted in selection:
            core = wanted.strip().removeprefix("+").removesuffix("+")
            for asset in self._named(core, wanted):
                chosen.add(asset)
                if wanted.strip().startswith("+"):
                    chosen |= self.ancestors(asset)
                if wanted.strip().endswith("+"):
                    chosen |= self.descendants(asset)
        return tuple(asset for asset in self.order() if asset in chosen)

    def below(self, selection: Iterable[str]) -> set[TableName]:
        """Of a selection, the assets that are in it only because they lie below an `x+`."""
        texts = [wanted.strip() for wanted in selection]
        named = {asset for text in texts for asset in self.select([text.removesuffix("+")])}
        return {asset for text in texts if text.endswith("+") for asset in self.select([text])} - named

    def streams(self, selection: Iterable[str]) -> set[TableName]:
        """The streams that a selection names itself, by no pattern and not as what lies above. Raises UnknownName."""
        named = {text.strip().removeprefix("+").removesuffix("+") for text in selection}
        assets = self.select(text for text in named if not text.endswith("*"))
        return {asset for asset in assets if isinstance(self.sources.get(asset), Stream)}

    def _named(self, core: str, wanted: str) -> list[TableName]:
        if core == "*":
            return list(self.assets)
        layer = core[:-2] if core.endswith(("/*", ".*")) else None
        found = [asset for asset in self.assets if asset.layer == layer]
        if found:
            return found
        try:
            name = TableName.parse(core)
        except UnknownName:
            name = None
        asset = name if name in self.assets else self.writer_of(name) if name else None
        if asset is None:
            raise UnknownName(
                f"Nothing is called {wanted!r}",
                "Name an asset or a table such as silver/flights; a + before it adds all above, a + after it all below."
                + did_you_mean(core, {*self.assets, *self.writers}),
            )
        return [asset]


def _notebooks(path: Path, problems: list[Finding]) -> dict[TableName, NotebookSpec]:
    found: dict[TableName, NotebookSpec] = {}
    folder = path / notebooks.FOLDER
    for file in sorted(folder.rglob("*.ipynb")):
        if any(part.startswith(".") for part in file.relative_to(folder).parts):
            continue  # JupyterLab's own copies
        try:
            spec = notebooks.parse(file, path)
        except NotebookError as error:
            relative = file.relative_to(path).as_posix()
            message = error.what.replace(str(file), "The file").removeprefix(f"{relative}: ")
            problems.append(Finding(relative, 0, 0, "bad-notebook", message, error.hint))
        else:
            found[spec.name] = spec
    return found


def _contracts(path: Path, problems: list[Finding]) -> dict[TableName, Contract]:
    found: dict[TableName, Contract] = {}
    folder = path / contracts.FOLDER
    for file in sorted(folder.rglob("*.y*ml")):
        if file.parent == folder / promotion.LAYER:
            continue  # what a model promises is written otherwise
        contract, findings = contracts.examine(file, file.relative_to(path).as_posix())
        problems.extend(findings)
        if contract is not None:
            found.setdefault(contract.table, contract)
    return found


def _model_contracts(path: Path, problems: list[Finding]) -> dict[TableName, ModelContract]:
    found: dict[TableName, ModelContract] = {}
    for file in sorted((path / contracts.FOLDER / promotion.LAYER).glob("*.y*ml")):
        contract, findings = promotion.examine(file, file.relative_to(path).as_posix())
        problems.extend(findings)
        if contract is not None:
            found.setdefault(contract.model, contract)
    return found


def _sorted(edges: dict[TableName, set[TableName]]) -> dict[TableName, tuple[TableName, ...]]:
    return {asset: tuple(sorted(others)) for asset, others in edges.items()}


def _reach(edges: Mapping[TableName, tuple[TableName, ...]], start: TableName) -> set[TableName]:
    found: set[TableName] = set()
    front = [start]
    while front:
        for other in edges.get(front.pop(), ()):
            if other not in found:
                found.add(other)
                front.append(other)
    return found

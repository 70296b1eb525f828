"""The IPython shell that this code runs in, where it runs in one: which cell it is at, and what was put into it."""

from __future__ import annotations

from lakehouse.notebook import NotebookSpec


def cell_now() -> str:
    """The cell being run, by its execution count."""
    try:
        from IPython import get_ipython
    except ImportError:
        return "here"
    shell = get_ipython()
    return f"cell In [{shell.execution_count}]" if shell is not None else "here"


def refuse_unknown_parameters(spec: NotebookSpec) -> None:
    """papermill only warns of a parameter the notebook does not have; its injected cell tells us of it."""
    import ast

    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    known = {parameter.name for parameter in spec.parameters}
    executed = getattr(getattr(shell, "history_manager", None), "input_hist_raw", [])
    for source in executed:
        if not source.startswith("# Parameters\n"):
            continue
        for node in ast.parse(source).body:
            for target in node.targets if isinstance(node, ast.Assign) else []:
                if isinstance(target, ast.Name) and target.id not in known:
                    spec.bind({target.id: None})

"""`python3 -m lakehouse ...` on any machine: make the project's environment if need be, go on inside it.

Readable by an old Python 3, like `__init__.py`, so that such a Python gets a sentence and not a SyntaxError.
"""

import os
import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def wrong_python(version, executable):
    """What to tell a Python that is too old or too new, or None."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return None
    names = ["python3.{}".format(minor) for minor in range(OLDEST[1], NEWEST[1] + 1)]
    folders = os.environ.get("PATH", "").split(os.pathsep)
    found = [name for name in names if any(os.access(os.path.join(folder, name), os.X_OK) for folder in folders)]
    newest = "or newer" if tuple(version[:2]) < OLDEST else "to {}.{}".format(*NEWEST)
    way = "{0}: {0} -m lakehouse".format(found[0]) if found else names[0] + ", which has to be installed first"
    return "lakehouse needs Python {}.{} {}, this is {}.{}.{} ({}); run it with {}".format(
        OLDEST[0], OLDEST[1], newest, version[0], version[1], version[2], executable, way
    )


def main():
    """The exit code of `python3 -m lakehouse ...`, run with any Python: inside the project's own environment."""
    message = wrong_python(sys.version_info, sys.executable)
    if message:
        sys.stderr.write(message + "\n")
        return 1
    from lakehouse import bootstrap, errors

    try:
        bootstrap.enter(sys.argv[1:])
    except errors.SetupError as error:
        sys.stderr.write("lakehouse: {}\n".format(error))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nlakehouse: set-up interrupted; the next command goes on with it\n")
        return 130
    return command()


def script():
    """The exit code of `lakehouse ...`: in the project's environment the same; in another one, what is installed there."""
    from lakehouse.bootstrap import PROJECT
    from lakehouse.environment import Environment

    return main() if Environment(PROJECT).is_this_process() else command()


def command():
    """The command line itself, in the environment of this process."""
    try:
        from lakehouse import telemetry

        telemetry.switch_off(os.environ)
        from lakehouse.cli import main as cli
    except ImportError as error:
        return damaged(error, sys.argv[1:])
    except KeyboardInterrupt:  # importing takes a moment, in which nothing has begun
        sys.stderr.write("\nlakehouse: cancelled\n")
        return 130
    return cli()


def damaged(error, words):
    """What to do where the environment lacks what every command needs; `doctor --repair` makes it anew."""
    from lakehouse import bootstrap, errors
    from lakehouse.environment import Environment

    environment = Environment(bootstrap.PROJECT)
    if "doctor" in words and "--repair" in words and environment.is_this_process():
        environment.distrust(whole=True)
        try:
            bootstrap.enter(words)
        except errors.SetupError as failure:
            error = failure
    sys.stderr.write("lakehouse: the environment {} is damaged: {}\n".format(sys.prefix, error))
    sys.stderr.write("  `lakehouse doctor --repair` makes it anew (some minutes).\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

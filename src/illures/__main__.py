"""The program: `illures`, and `python -m illures`."""

# Not `signal`, which imports for milliseconds: a Ctrl-C in them would end in a traceback.
import _signal  # type: ignore[import-not-found]

# While the command line is imported nothing is begun, and nothing is to be cleared away: Ctrl-C just ends the process.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

from illures.cli import main  # noqa: E402

if __name__ == "__main__":
    main()

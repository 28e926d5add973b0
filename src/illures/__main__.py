"""The program: `illures`, and `python -m illures`."""

import signal

# While the command line is imported nothing is begun, and nothing is to be cleared away: Ctrl-C just ends the process.
if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from illures.cli import main  # noqa: E402

if __name__ == "__main__":
    main()

"""`python -m illures`."""

from illures.cli import main

if __name__ == "__main__":
    main()

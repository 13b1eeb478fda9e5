"""`python -m facevox` is the command `facevox`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())

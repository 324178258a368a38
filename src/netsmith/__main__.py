"""``python -m netsmith`` is the same as ``netsmith``."""

import sys

from netsmith.cli import main

if __name__ == "__main__":
    sys.exit(main())

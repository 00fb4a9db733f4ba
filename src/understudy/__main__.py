"""`python -m understudy` is the command."""

import sys

from understudy.cli import main

sys.exit(main())

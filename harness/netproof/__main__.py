"""`python -m netproof` is `netproof`."""

import sys

from netproof.commands.main import main

sys.exit(main())

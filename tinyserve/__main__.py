# SPDX-License-Identifier: Apache-2.0
"""`python -m tinyserve` is the `tinyserve` command."""

import sys

from tinyserve.cli.main import main

sys.exit(main())

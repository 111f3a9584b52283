"""`python -m repofill.lsp_server`: the same as `repofill`."""

import sys

from repofill.lsp_server.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""The edge: the language server and the command line. Knows the protocol; the work is done in `models` and
`context`."""

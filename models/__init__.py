"""From prompt to text: the model file, its infilling format, and the process that runs it. Used by lsp_server and
evaluation; imports nothing of them."""

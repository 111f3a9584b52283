"""The workspace as one ordered project. Pure: knows neither LSP nor llama.cpp nor any model."""

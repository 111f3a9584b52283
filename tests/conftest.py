"""For all tests."""

from hypothesis import settings

# The same examples every time, so that a red run means the change at hand; a busy machine is no failure.
settings.register_profile("repeatable", deadline=None, derandomize=True)
# `pytest --hypothesis-profile=search` looks for new ones.
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("repeatable")

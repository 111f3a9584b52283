"""What ends an evaluation in the model process, be the model its own or a server's."""


class Aborted(Exception):
    """The stop flag was set during an evaluation. What was evaluated before stays in the cache."""


class ServerError(Exception):
    """The user's server cannot be used; the text is one line that says what to do."""


class ServerAway(ServerError):
    """It does not answer, or not yet."""

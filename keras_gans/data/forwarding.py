"""Functions that pass their further options on say which ones these are."""

import inspect


def forwards_to(loader):
    """A decorator of a function whose `**options` are those of `loader`: `inspect.signature` and `help` name them.

    >>> @forwards_to(sorted)
    ... def largest(values, *, count=1, **options):
    ...     return sorted(values, **options)[-count:]
    >>> list(inspect.signature(largest).parameters)
    ['values', 'count', 'key', 'reverse']
    """

    def named(function):
        own = inspect.signature(function)
        parameters = {name: about for name, about in own.parameters.items() if about.kind is not about.VAR_KEYWORD}
        for name, about in inspect.signature(loader).parameters.items():
            if about.kind is about.KEYWORD_ONLY:
                parameters.setdefault(name, about)
        function.__signature__ = own.replace(parameters=parameters.values())
        return function

    return named

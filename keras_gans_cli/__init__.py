"""The command line: one module for each group of commands.

It is a package of its own, because importing `keras_gans` imports Keras, which takes seconds. The library is
imported inside the commands that need it.
"""

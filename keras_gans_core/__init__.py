"""What the library and the command line share and can use without Keras: errors, the zoo's cards, checks.

It is a separate package, because importing `keras_gans` imports Keras and the backend, which takes seconds.
"""

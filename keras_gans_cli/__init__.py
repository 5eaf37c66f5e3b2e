"""What answers before Keras is imported: the command line and the zoo's cards.

It stands beside `keras_gans` and not in it, because importing `keras_gans` imports Keras and with it the backend, which
takes seconds; `keras-gans list` should not.
"""

"""Where callbacks say something."""

import logging

import keras


def say(message):
    """Prints a line, or logs it where Keras's own callbacks do."""
    if keras.config.is_interactive_logging_enabled():  # their function is not public
        print(message)
    else:
        logging.getLogger("absl").info(message)

"""Presets among Kaggle's models, fetched by its own client, `kagglehub`."""

from keras_gans_core.errors import ConfigurationError


def client():
    """The package `kagglehub`, imported at first use.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import kagglehub
    except ImportError as error:
        raise ConfigurationError(
            "Expected the package kagglehub for handles that begin with kaggle://. Received: it is not installed. "
            'Install it: pip install "keras-gans[kaggle]"'
        ) from error
    return kagglehub


def fetch(name, version):
    client()
    raise NotImplementedError

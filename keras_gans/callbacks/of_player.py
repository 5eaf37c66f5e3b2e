"""Keras's callbacks for the learning rate, for one player."""

import keras

from keras_gans.errors import ConfigurationError

RATE = "learning_rate"


class OfPlayer(keras.callbacks.Callback):
    """Lets a callback that changes `model.optimizer` act on one player's optimizer.

    `LearningRateScheduler` and `ReduceLROnPlateau` of Keras change the rates of both players. Inside this callback they
    see a model with one optimizer. They log its rate as "learning_rate_generator", by the player's name.

    Args:
        player: the player's name, such as "generator" or "discriminator".
        callback: a callback that reads or changes `model.optimizer.learning_rate`.

    Raises:
        ConfigurationError: `callback` is no callback; in `fit`, a player that the model does not have.

    Example:

    >>> halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> gan = kg.GAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile(keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.5))
    >>> images = np.zeros((8, 8, 8, 1), "uint8")
    >>> history = gan.fit(images, verbose=0, callbacks=[OfPlayer("discriminator", halve)])
    >>> history.history["learning_rate_discriminator"], float(gan.g_optimizer.learning_rate)
    ([0.25], 0.5)
    """

    def __init__(self, player, callback):
        super().__init__()
        if not isinstance(callback, keras.callbacks.Callback):
            raise ConfigurationError(f"Expected a Keras callback. Received: {callback!r}.")
        self.player, self.callback = player, callback
        plain, kind = keras.callbacks.Callback, type(callback)
        # Keras waits for each step where a callback wants to hear of it.
        self.async_safe = (kind.on_train_batch_end, kind.on_batch_end) == (plain.on_train_batch_end, plain.on_batch_end)

    def set_params(self, params):
        super().set_params(params)
        self.callback.set_params(params)

    def set_model(self, model):
        players = list(model.players)
        if self.player not in players:
            raise ConfigurationError(f"Expected a player of the model: {players}. Received: {self.player!r}.")
        super().set_model(model)
        optimizer = (model.g_optimizer, model.d_optimizer)[players.index(self.player)]
        self.callback.set_model(_WithOptimizer(model, optimizer))

    def on_train_begin(self, logs=None):
        self.callback.on_train_begin(logs)

    def on_train_end(self, logs=None):
        self.callback.on_train_end(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        seen = dict(logs)
        self.callback.on_epoch_end(epoch, seen)
        logs.update({f"{RATE}_{self.player}" if name == RATE else name: value for name, value in seen.items()})

    def on_train_batch_begin(self, batch, logs=None):
        self.callback.on_train_batch_begin(batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self.callback.on_train_batch_end(batch, logs)


class _WithOptimizer:
    """A model as a callback sees it, with another optimizer."""

    def __init__(self, model, optimizer):
        self.__dict__.update(model=model, optimizer=optimizer)

    def __getattr__(self, name):
        return getattr(self.model, name)

    def __setattr__(self, name, value):
        setattr(self.model, name, value)

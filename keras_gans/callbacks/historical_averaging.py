"""Historical averaging: Salimans et al., 2016, "Improved techniques for training GANs", section 3.3."""

import math

import keras
from keras import ops

from keras_gans import engine
from keras_gans.errors import ConfigurationError

KEY = "historical_averaging"


class HistoricalAveraging(keras.callbacks.Callback):
    """Pulls the players' weights towards the mean of their past values.

    It adds to each player's loss

        weight * ||theta - (1/t) sum_{i=1..t} theta_i||^2

    where theta are the player's trainable weights and theta_i their values after its i-th update; the gradient
    treats the mean as a constant. The first update has no history and so no penalty; at the second the mean is theta
    itself and the penalty zero; it acts from the third on. The logged losses do not include it.

    The mean is kept on the model, updated inside the compiled step and saved with the model. So a
    resumed run, or a later `fit` with this callback, goes on with it; updates without the callback are not in it.

    When training ends, even by an exception, the penalty is removed.

    Args:
        weight: the penalty's weight, 0 or more; the paper states none.
        players: names of the players to penalise, such as ("generator",); None for all, as in the paper.

    Raises:
        ConfigurationError: a weight out of range; in `fit`, players that the model does not have.

    Example:

    >>> gan = kg.DCGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(np.zeros((8, 8, 8, 1), "uint8"), callbacks=[HistoricalAveraging(0.1)], verbose=0)

    Reference: Salimans et al., 2016, https://arxiv.org/abs/1606.03498
    """

    def __init__(self, weight=1.0, players=None):
        super().__init__()
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0.0 <= weight < math.inf:
            raise ConfigurationError(f"Expected a weight that is a number, 0 or more. Received: {weight!r}.")
        if players is not None and (isinstance(players, str) or not players):
            raise ConfigurationError(f"Expected the names of players in a tuple, or None. Received: {players!r}.")
        self.weight, self.asked = float(weight), players

    def set_model(self, model):
        players = tuple(model.players if self.asked is None else self.asked)
        if not set(players) <= set(model.players):
            raise ConfigurationError(
                f"Expected players from {', '.join(model.players)}, those of {type(model).__name__}. Received: "
                f"{players}."
            )
        self.players = players
        # Slots are created here, not in on_train_begin, where another callback may already load them.
        super().set_model(model)
        with engine.scope_of(model):
            for player in self.players:
                self._history(player)

    def on_train_begin(self, logs=None):
        for player in self.players:
            self._register(player)
        self.model.make_train_function(force=True)

    def release(self):
        """Called by `fit` however it ends: removes the penalty."""
        for player in self.players:
            self.model.penalties[player].pop(KEY, None)
            self.model.after_step[player].pop(KEY, None)
        self.model.make_train_function(force=True)

    def _history(self, player):
        """The player's variables, their means, and the number of updates in these."""
        slots, variables = self._model.slots, self._model.player_variables(player)
        count = slots.get(f"{KEY}/{player}/count", (), "int32")
        means = [slots.get(f"{KEY}/{player}/{i}", variable.shape) for i, variable in enumerate(variables)]
        return variables, means, count

    def _register(self, player):
        variables, means, count = self._history(player)

        def penalty():
            distances = [ops.sum(ops.square(ops.cast(v, "float32") - mean)) for v, mean in zip(variables, means)]
            return ops.where(count > 0, self.weight, 0.0) * sum(distances)

        def remember():
            count.assign_add(1)
            share = 1.0 / ops.cast(count, "float32")
            for variable, mean in zip(variables, means):
                mean.assign_add((ops.cast(variable, "float32") - mean) * share)

        self.model.penalties[player][KEY] = penalty
        self.model.after_step[player][KEY] = remember

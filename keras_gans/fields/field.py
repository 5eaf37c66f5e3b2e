"""The base of every field: what one tensor of a model means to its user and to its networks."""


class Field:
    """What a tensor means: its shape, what is allowed in it, and how networks see it.

    A field has a user's side (uint8 images, class numbers, strings of text) and a network's side (floats, one-hot
    rows). `check` and `encode` go from the first to the second, `decode` comes back.

    If a field can be drawn, `num_normals` is how many standard normal numbers one example is drawn from, and
    `from_normals` turns them into values. `is_noise` marks values that nobody chooses by hand: they come from a seed.
    """

    shape = ()  # of one example on the user's side; None stands for any size
    dtype = "float32"  # of a user's values, as an export takes and returns them
    low = high = None  # the smallest and the largest value; None where the dtype alone is the bound
    num_normals = None  # for one example; None: values must be given
    is_noise = False
    tolerance = 0  # how far rounding may move a value, such as a grey level; 0 if it may not change at all
    grid_columns = 8  # of a picture that shows the values well

    def __str__(self):
        """What the values are, for errors."""
        raise NotImplementedError

    def check(self, values):
        """The user's values as an array or tensor (N, *shape).

        Raises:
            DataError: values that the model cannot use. The message names the remedy.
        """
        raise NotImplementedError

    def check_later(self, values):
        """`check` of a later batch of a stream, of which the first has passed it."""
        return self.check(values)

    def check_source(self, about):
        """Refuses values that were made for another field, according to `Batches.about`; most fields take any.

        Raises:
            DataError: values that would pass `check` and mean something else, such as ids of another alphabet.
        """

    def asked(self, values):
        """`check` for `generate`, which also takes one value without the batch axis for all examples: (1, *shape)."""
        return self.check(values)

    def encode(self, values):
        """The values as networks take them, a float tensor."""
        raise NotImplementedError

    def decode(self, encoded):
        """A network's output, as users get it."""
        raise NotImplementedError

    def from_normals(self, normals):
        """Values (N, *shape) made from standard normal numbers, float32 (N, num_normals).

        Fields whose values are noise take tensors too, as inside a compiled function.
        """
        raise NotImplementedError

    def in_grid(self, n, columns):
        """n values to show in a grid of `columns` columns; None if any will do."""
        return None

    def picture(self, values, columns=None):
        """One uint8 picture (height, width, channels) of values (N, *shape), `columns` in a row.

        None if there is nothing to see, as for labels.
        """
        return None

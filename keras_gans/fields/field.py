"""The base of every field: what one tensor of a model means to its user and to its networks."""


class Field:
    """What a tensor means: its shape, what is allowed in it, and how networks see it.

    A field has a user's side (uint8 images, class numbers, strings of text) and a network's side (floats, one-hot
    rows). `check` and `encode` go from the first to the second, `decode` comes back.

    A field that can be drawn says in `num_normals` how many standard normal numbers one example is drawn from, and
    `from_normals` makes values of them. `is_noise` marks values that nobody chooses by hand: they are what a seed
    stands for.
    """

    shape = ()  # of one example on the user's side; None stands for any size
    dtype = "float32"  # of a user's values, as an export takes them and gives them
    num_normals = None  # for one example; None: values must be given
    is_noise = False
    tolerance = 0  # how far rounding may move a value, as a grey level; 0 where it makes another value altogether
    grid_columns = 8  # of a picture that shows them all well

    def __str__(self):
        """What the values are, for errors."""
        raise NotImplementedError

    def check(self, values):
        """The user's values as an array or tensor (N, *shape).

        Raises:
            DataError: values that the model cannot use. The message names the remedy.
        """
        raise NotImplementedError

    def check_source(self, about):
        """Refuses values that were made for another field, by what `Batches.about` says of them; most fields take any.

        Raises:
            DataError: values that would pass `check` and mean something else, such as ids by another alphabet.
        """

    def asked(self, values):
        """`check` for `generate`, where one value without the batch axis stands for every example: (1, *shape)."""
        return self.check(values)

    def encode(self, values):
        """The values as networks take them, a float tensor."""
        raise NotImplementedError

    def decode(self, encoded):
        """What a network made, as users get it."""
        raise NotImplementedError

    def from_normals(self, normals):
        """Values (N, *shape) made from standard normal numbers, float32 (N, num_normals).

        Fields whose values are noise take tensors too, as inside a compiled function.
        """
        raise NotImplementedError

    def in_grid(self, n, columns):
        """n values to show in a grid of so many columns; None where any will do."""
        return None

    def picture(self, values, columns=None):
        """One uint8 picture (height, width, channels) of values (N, *shape), so many in a row.

        None where there is nothing to see, as of labels.
        """
        return None

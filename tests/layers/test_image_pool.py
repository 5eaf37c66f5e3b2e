import keras
import numpy as np
import pytest
from keras import ops

from keras_gans.errors import ConfigurationError
from keras_gans.layers import ImagePool


def numbered(numbers):
    return np.reshape(np.asarray(numbers, "float32"), (-1, 1, 1, 1))


def asked(pool, numbers, uniform):
    """The numbers of the images that the pool returns."""
    return ops.convert_to_numpy(pool(numbered(numbers), np.asarray(uniform, "float32"))).ravel().tolist()


def stored(pool):
    return ops.convert_to_numpy(pool.images).ravel().tolist()


class OneByOne:
    """The paper's pool as a loop, to compare with."""

    def __init__(self, size):
        self.size, self.images = size, []

    def __call__(self, numbers, uniform):
        returned = []
        for number, (exchange, place) in zip(numbers, uniform):
            if len(self.images) < self.size:
                self.images.append(number)
                returned.append(number)
            elif exchange < 0.5:
                place = min(int(np.float32(place) * self.size), self.size - 1)
                returned.append(self.images[place])
                self.images[place] = number
            else:
                returned.append(number)
        return returned


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_it_does_what_a_loop_over_the_images_does(batch):
    """Also where a batch fills the pool halfway, and where two images of a batch meet in one place."""
    size, generator = 5, np.random.default_rng(batch)
    pool, loop = ImagePool(size, (1, 1, 1)), OneByOne(size)
    for step in range(40):
        numbers, uniform = batch * step + np.arange(batch) + 1.0, generator.random((batch, 2))
        assert asked(pool, numbers, uniform) == loop(numbers.tolist(), uniform)
    assert stored(pool) == loop.images and int(pool.count) == size


def test_its_statistics_are_the_papers():
    """The first 50 come back; then about half are old; there are always 50."""
    pool, generator = ImagePool(50, (1, 1, 1)), np.random.default_rng(0)
    old = []
    for step in range(125):
        numbers = 8.0 * step + np.arange(8) + 1.0
        returned = asked(pool, numbers, generator.random((8, 2)))
        if step < 6:
            assert returned == numbers.tolist()
        old += (np.array(returned) != numbers).tolist()
    assert abs(np.mean(old[50:]) - 0.5) < 0.06  # 950 images: a standard deviation of 0.016
    assert int(pool.count) == 50 and len(set(stored(pool))) == 50


def test_the_largest_uniform_number_is_a_place():
    pool = ImagePool(3, (1, 1, 1))
    asked(pool, [1, 2, 3], np.zeros((3, 2)))
    assert asked(pool, [4], [[0.0, 1.0]]) == [3.0]


def test_it_works_in_a_compiled_step_and_is_saved(tmp_path):
    @keras.saving.register_keras_serializable(package="tests")
    class Keeper(keras.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.pool, self.scale = ImagePool(4, (1, 1, 1), name="pool"), keras.layers.Rescaling(1.0)
            self.built = True

        def call(self, inputs):
            images, uniform = inputs
            return self.scale(self.pool(images, uniform))

    generator = np.random.default_rng(1)
    numbers, uniform = np.arange(1.0, 13.0), generator.random((12, 2)).astype("float32")
    expected = OneByOne(4)(numbers.tolist(), uniform)
    model = Keeper()
    model.compile(optimizer="sgd", loss="mse")
    returned = model.predict_on_batch([numbered(numbers), uniform])
    assert returned.ravel().tolist() == expected
    model.pool.images.assign(numbered([9, 8, 7, 6]))
    model.save(tmp_path / "model.keras")
    assert stored(keras.saving.load_model(tmp_path / "model.keras").pool) == [9.0, 8.0, 7.0, 6.0]


def test_nothing_of_it_is_trained():
    pool = ImagePool(2, (1, 1, 1))
    assert pool.trainable_weights == [] and len(pool.non_trainable_weights) == 2


def test_a_pool_for_no_image_is_refused():
    with pytest.raises(ConfigurationError, match="1 image or more"):
        ImagePool(0, (1, 1, 1))


def test_its_config_is_its_arguments():
    again = ImagePool.from_config(ImagePool(3, (4, 5, 2)).get_config())
    assert again.size == 3 and again.image_shape == (4, 5, 2)

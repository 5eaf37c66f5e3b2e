"""Each batch of a stream is looked at when it is read, and filled up where that is asked for."""

import keras
import numpy as np
import pytest

from keras_gans.data.streams import each_batch

BACKEND = keras.backend.backend()


class Rows(keras.utils.PyDataset):
    def __init__(self, batches, **options):
        super().__init__(**options)
        self.batches, self.ended = batches, 0

    @property
    def num_batches(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]

    def on_epoch_end(self):
        self.ended += 1


def batches(*sizes):
    return [(np.full((size, 2), i, "float32"), np.arange(size)) for i, size in enumerate(sizes)]


def of_tensorflow(parts, **options):
    tf = pytest.importorskip("tensorflow")
    spec = (tf.TensorSpec((None, 2)), tf.TensorSpec((None,), "int64"))
    return tf.data.Dataset.from_generator(lambda: iter(parts), output_signature=spec)


def of_torch(parts, **options):
    data = pytest.importorskip("torch.utils.data")
    return data.DataLoader(parts, batch_size=None)


KINDS = {
    "generator": lambda parts: (part for part in parts),
    "rows": Rows,
    "tensorflow": of_tensorflow,
    "torch": of_torch,
}


def read(data):
    parts = [data[i] for i in range(data.num_batches)] if isinstance(data, keras.utils.PyDataset) else list(data)
    return [[np.asarray(array) for array in part] for part in parts]


@pytest.mark.parametrize("kind", KINDS)
def test_every_batch_is_seen_as_it_is_packed(kind):
    seen, parts = [], batches(3, 3, 1)
    data = each_batch(KINDS[kind](parts), seen.append)
    assert not seen
    found = read(data)
    assert len(found) == len(seen) == 3
    for expected, given, looked in zip(parts, found, seen):
        for a, b, c in zip(expected, given, looked):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, np.asarray(c))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole, least, expected", [(1, 0, [3, 1]), (2, 0, [4, 2]), (3, 0, [3, 3]), (2, 6, [6, 6])])
def test_batches_are_filled_with_their_first_rows(kind, whole, least, expected):
    found = read(each_batch(KINDS[kind](batches(3, 1)), None, whole, least))
    assert [len(images) for images, _ in found] == [len(labels) for _, labels in found] == expected
    for size, (images, labels), i in zip((3, 1), found, range(2)):
        assert (images == i).all()
        np.testing.assert_array_equal(labels, np.arange(len(labels)) % size)


def test_a_data_set_of_dicts_and_of_single_tensors():
    tf = pytest.importorskip("tensorflow")
    rows, seen = tf.data.Dataset.from_tensor_slices({"a": np.arange(5), "b": np.arange(5)}), []
    assert [len(batch["a"]) for batch in each_batch(rows.batch(2), seen.append, 2)] == [2, 2, 2]
    assert [sorted(batch) for batch in seen] == [["a", "b"]] * 3
    assert [len(batch) for batch in each_batch(tf.data.Dataset.range(5).batch(2), seen.append)] == [2, 2, 1]
    np.testing.assert_array_equal(seen[-1], [4])


def test_what_a_data_set_says_about_itself_stays():
    rows = Rows(batches(2, 2), workers=2, use_multiprocessing=False, max_queue_size=7)
    data = each_batch(rows, lambda batch: None)
    assert (data.workers, data.max_queue_size, data.num_batches) == (2, 7, 2)
    data.on_epoch_end()
    assert rows.ended == 1
    assert each_batch(3) == 3

"""Pairs and domains from every layout, what is refused, and that both sides of a pair are changed alike."""

import os

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.data import CroppedDomains, PairedBatches, load_pairs, load_unpaired
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError


def colours(*shape, seed=0):
    return np.random.default_rng(seed).integers(40, 256, shape).astype("uint8")


def write(folder, names, size=(16, 16), value=None, mode="RGB"):
    """PNGs, each of one colour: 10 times its place, or `value`."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        grey = 10 * (i + 1) if value is None else value
        picture = Image.fromarray(np.full(size, grey, "uint8"))
        picture.convert(mode).save(folder / f"{name}.png")
    return folder


def greys(array):
    """The first pixel of each image."""
    return array.reshape(len(array), -1)[:, 0].tolist()


# Layouts


LAYOUTS = {
    "trainA": ("{split}A", "{split}B"),
    "below": ("A/{split}", "B/{split}"),
    "above": ("{split}/A", "{split}/B"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("load", [load_pairs, load_unpaired])
def test_folders_of_two_sides(layout, load, tmp_path):
    for split, names in (("train", "abc"), ("test", "de")):
        for side, value in zip(LAYOUTS[layout], (None, 200)):
            write(tmp_path / side.format(split=split), names, value=value)
    train, test = (load(tmp_path, split=split, augment=False, shuffle=False) for split in ("train", "test"))
    a, b = train.arrays.values()
    assert a.shape == b.shape == (3, 16, 16, 3) and greys(a) == [10, 20, 30] and greys(b) == [200] * 3
    assert len(test) == 2 and test.about["split"] == "test" and test.about["examples"] == 2


def test_two_folders_without_splits(tmp_path):
    write(tmp_path / "A", "ab")
    write(tmp_path / "B", "ab", value=200)
    batches = load_pairs(tmp_path, augment=False, shuffle=False)
    assert greys(batches.arrays["sources"]) == [10, 20] and greys(batches.arrays["targets"]) == [200, 200]
    with pytest.raises(DatasetNotFoundError, match="testA and testB"):
        load_pairs(tmp_path, split="test")


def test_names_make_the_pairs_and_endings_do_not(tmp_path):
    write(tmp_path / "A", "ba")
    (tmp_path / "B").mkdir()
    for i, name in enumerate("ab"):
        Image.fromarray(np.full((16, 16), 100 + i, "uint8")).save(tmp_path / "B" / f"{name}.bmp")
    (tmp_path / "B" / ".hidden.png").write_bytes(b"")
    batches = load_pairs(tmp_path, augment=False, shuffle=False)
    assert greys(batches.arrays["sources"]) == [20, 10] and greys(batches.arrays["targets"]) == [100, 101]


@pytest.mark.parametrize("below", ["train", ""])
def test_pictures_of_both_sides(below, tmp_path):
    folder = tmp_path / below
    folder.mkdir(exist_ok=True)
    for i in range(3):
        both = np.concatenate([np.full((16, 16, 3), 50 + i), np.full((16, 16, 3), 150 + i)], axis=1)
        Image.fromarray(both.astype("uint8")).save(folder / f"{i}.png")
    batches = load_pairs(tmp_path, augment=False, shuffle=False)
    assert greys(batches.arrays["sources"]) == [50, 51, 52] and greys(batches.arrays["targets"]) == [150, 151, 152]
    back = load_pairs(tmp_path, augment=False, shuffle=False, direction="BtoA")
    assert greys(back.arrays["sources"]) == [150, 151, 152] and back.direction == "BtoA"
    with pytest.raises(DatasetNotFoundError, match="trainA and trainB"):
        load_unpaired(tmp_path)


def test_arrays_and_drawings():
    a, b = colours(4, 16, 16, 3), colours(4, 16, 16, 1, seed=1)
    batches = load_pairs((a, b), augment=False, batch_size=2)
    assert batches.source_shape == (16, 16, 3) and batches.image_shape == (16, 16, 1)
    assert len(load_unpaired((a, b[:1]), augment=False)) == 4
    drawn = load_pairs("drawn:digits", take=4, augment=False)
    np.testing.assert_array_equal(drawn.arrays["sources"], kg.data.edges(drawn.arrays["targets"]))
    assert drawn.image_shape == (32, 32, 1)
    apart = load_unpaired("drawn:digits", take=4)
    assert len(apart.arrays["a"]) == len(apart.arrays["b"]) == 4 and apart.image_shape == (32, 32, 1)


@pytest.mark.parametrize("kind", ["arrays", "folders", "halves"])
def test_a_part_of_sorted_pairs_is_drawn_and_pairs_stay_together(kind, tmp_path):
    levels = np.arange(100, dtype="uint8")
    a = np.broadcast_to(levels[:, None, None, None], (100, 16, 16, 3)).copy()
    b = a + 100
    if kind == "folders":
        for side, images in (("A", a), ("B", b)):
            (tmp_path / side).mkdir()
            for i, image in enumerate(images):
                Image.fromarray(image).save(tmp_path / side / f"{i:03}.png")
    elif kind == "halves":
        for i, both in enumerate(np.concatenate([a, b], axis=2)):
            Image.fromarray(both).save(tmp_path / f"{i:03}.png")
    source = (a, b) if kind == "arrays" else tmp_path
    found = load_pairs(source, take=20, augment=False, shuffle=False)
    rows = found.arrays["sources"][:, 0, 0, 0]
    assert len(rows) == 20 and {int(row) // 25 for row in rows} == {0, 1, 2, 3} and found.about["drawn"] is True
    assert (found.arrays["targets"][:, 0, 0, 0] == rows + 100).all()
    assert "drawn" not in load_pairs(source, take=100, augment=False).about
    apart = load_unpaired((a, b[:30]), take=40, augment=False)
    assert len(apart.arrays["b"]) == 30 and {int(row) // 25 for row in apart.arrays["a"][:, 0, 0, 0]} == {0, 1, 2, 3}


def test_tfds_features_by_name():
    pairs = load_pairs("avatars", sides=("parts", "image"), classes=8, take=5, augment=False)
    assert pairs.source_shape == (64, 64) and pairs.image_shape == (64, 64, 3) and pairs.classes == 8
    assert pairs.arrays["sources"].max() <= 7 and pairs.about["sides"] == ["parts", "image"]
    assert pairs.about["license"] and "classes" not in pairs.about
    emoji = load_unpaired("emoji", sides=("noto", "twemoji"), take=5)
    assert emoji.arrays["a"].shape == (5, 72, 72, 3) and emoji.image_shape == (64, 64, 3)
    with pytest.raises(ConfigurationError, match="sides="):
        load_pairs("avatars")
    with pytest.raises(DataError, match="parts.*Received: 'part'"):
        load_pairs("avatars", sides=("part", "image"))
    with pytest.raises(DataError, match="feature 'picture'"):
        load_pairs("avatars", sides=("parts", "picture"))
    with pytest.raises(DatasetNotFoundError, match="avatars"):
        load_pairs("avatar", sides=("parts", "image"))


def test_named_folders_are_sides(tmp_path):
    write(tmp_path / "maps", "ab")
    write(tmp_path / "photos", "ab", value=200)
    with pytest.raises(DataError, match=r"maps as A or photos as A.*sides=\('maps', 'photos'\)"):
        load_pairs(tmp_path)
    batches = load_pairs(tmp_path, sides=("photos", "maps"), augment=False, shuffle=False)
    assert greys(batches.arrays["sources"]) == [200, 200]


# Sizes, crops and flips


def test_both_sides_are_cropped_and_flipped_alike():
    """With y = x they stay equal."""
    images = colours(6, 20, 20, 3)
    batches = PairedBatches(images, images, crop=(16, 16), flip=True, batch_size=3)
    seen = [batches.at(step) for step in range(40)]
    assert all((batch["sources"] == batch["targets"]).all() for batch in seen)
    assert seen[0]["sources"].shape == (3, 16, 16, 3)
    assert len({batch["sources"][0].tobytes() for batch in seen}) > 30


def test_label_maps_are_changed_with_their_images():
    maps = np.random.default_rng(0).integers(0, 8, (6, 20, 20)).astype("uint8")
    batches = PairedBatches(maps, np.repeat(maps[..., None], 3, -1), crop=(16, 16), flip=True, classes=8, batch_size=3)
    batch = batches[0]
    np.testing.assert_array_equal(batch["sources"], batch["targets"][..., 0])


def test_every_place_and_both_sides_come():
    image = np.arange(36, dtype="uint8").reshape(1, 6, 6, 1)
    corners = {int(PairedBatches(image, image, crop=(4, 4)).at(step)["sources"][0, 0, 0, 0]) for step in range(200)}
    assert corners == {0, 1, 2, 6, 7, 8, 12, 13, 14}
    flips = [PairedBatches(image, image, flip=True).at(step)["sources"][0, 0, 0, 0] for step in range(200)]
    assert set(np.array(flips).tolist()) == {0, 5} and 70 < np.sum(np.array(flips) == 0) < 130


def test_what_a_step_sees_depends_on_the_seed_and_the_step_alone():
    images = colours(6, 20, 20, 3)
    options = {"crop": (16, 16), "flip": True, "batch_size": 2}
    one, again, other = (PairedBatches(images, images, seed=seed, **options) for seed in (1, 1, 2))
    for step in (7, 3, 7):
        np.testing.assert_array_equal(one.at(step)["sources"], again.at(step)["sources"])
    assert not np.array_equal(one.at(7)["sources"], other.at(7)["sources"])
    domains = [CroppedDomains(a=images, b=images, seed=1, **options) for _ in range(2)]
    for step in (7, 3):
        np.testing.assert_array_equal(domains[0].at(step)["b"], domains[1].at(step)["b"])


def test_domains_are_changed_each_by_itself():
    image = np.arange(36, dtype="uint8").reshape(1, 6, 6, 1)
    batches = CroppedDomains(a=image, b=image, crop=(4, 4), batch_size=1)
    corners = [tuple(int(batch[0, 0, 0, 0]) for batch in batches.at(step).values()) for step in range(300)]
    assert len(set(corners)) > 60  # of 81


def test_the_papers_sizes(tmp_path):
    """286 of 256 and 143 of 128; the split "test" is as it is."""
    images = colours(1, 128, 128, 3)
    assert load_pairs((images, images)).arrays["sources"].shape == (1, 143, 143, 3)
    assert load_pairs((images, images), image_size=(256, 256)).arrays["sources"].shape == (1, 286, 286, 3)
    assert load_pairs((images, images), jitter=1.0).arrays["sources"].shape == (1, 128, 128, 3)
    write(tmp_path / "testA", "a")
    write(tmp_path / "testB", "a")
    test = load_pairs(tmp_path, split="test")
    assert test.arrays["sources"].shape == (1, 16, 16, 3) and not test.flip


def test_label_maps_are_resized_without_new_classes(tmp_path):
    maps = np.zeros((1, 16, 16), "uint8")
    maps[:, 8:] = 5
    batches = load_pairs((maps, colours(1, 16, 16, 3)), classes=8, jitter=1.5)
    assert batches.arrays["sources"].shape == (1, 24, 24) and set(np.unique(batches.arrays["sources"])) == {0, 5}
    write(tmp_path / "A", "a")
    write(tmp_path / "B", "a")
    palette = Image.fromarray(maps[0]).convert("P")
    palette.putdata(maps[0].ravel().tolist())
    palette.save(tmp_path / "A" / "a.png")
    batches = load_pairs(tmp_path, classes=8, image_size=(32, 32), augment=False)
    assert batches.source_shape == (32, 32) and set(np.unique(batches.arrays["sources"])) == {0, 5}
    backwards = load_pairs((colours(1, 16, 16, 3), maps), classes=8, direction="BtoA", augment=False)
    assert backwards.source_shape == (16, 16) and backwards.image_shape == (16, 16, 3)


def test_floats_are_resized_and_stay_in_their_range():
    images = np.random.default_rng(0).choice([-1.0, 1.0], (2, 16, 16, 2)).astype("float32")
    batches = load_unpaired((images, images), jitter=1.5)
    made = batches.arrays["a"]
    assert made.shape == (2, 24, 24, 2) and made.dtype == "float32" and np.abs(made).max() <= 1.0


# What is refused


def test_a_side_without_its_partner(tmp_path):
    write(tmp_path / "trainA", "ab")
    with pytest.raises(DataError, match="no trainB"):
        load_pairs(tmp_path)
    write(tmp_path / "trainB", "bc")
    with pytest.raises(DataError, match="1 without a partner in .*trainB: a. .*load_unpaired"):
        load_pairs(tmp_path)
    assert len(load_unpaired(tmp_path)) == 2


def test_a_side_without_images(tmp_path):
    write(tmp_path / "trainA", "ab")
    (tmp_path / "trainB").mkdir()
    for load in (load_pairs, load_unpaired):
        with pytest.raises(DataError, match="trainB. Received: none"):
            load(tmp_path)


def test_counts_and_sizes_that_differ(tmp_path):
    with pytest.raises(DataError, match="Received: 3 of A and 2 of B"):
        load_pairs((colours(3, 16, 16, 3), colours(2, 16, 16, 3)))
    with pytest.raises(DataError, match=r"the source 0, \(16, 16\), and the target 0, \(8, 8\)"):
        load_pairs((colours(2, 16, 16, 3), colours(2, 8, 8, 3)))
    write(tmp_path / "A", "ab")
    write(tmp_path / "B", "a")
    write(tmp_path / "B", "b", size=(8, 8))
    with pytest.raises(DataError, match=r"A/b.png, \(16, 16\), and the target .*B/b.png, \(8, 8\)"):
        load_pairs(tmp_path)
    assert load_pairs(tmp_path, image_size=(8, 8), augment=False).image_shape == (8, 8, 3)
    with pytest.raises(DataError, match=r"B/a.png, \(16, 16\), and .*B/b.png, \(8, 8\)"):
        load_unpaired(tmp_path)


def test_a_class_out_of_range_names_the_file(tmp_path):
    write(tmp_path / "A", "abc", mode="L")  # 10, 20, 30
    write(tmp_path / "B", "abc")
    for classes in (21, 30):
        with pytest.raises(DataError, match=f"from 0 to {classes - 1} in label maps.* Look at .*A/c.png"):
            load_pairs(tmp_path, classes=classes)
    with pytest.raises(DataError, match="one channel.*B/a.png.*mode RGB"):
        load_pairs(tmp_path, classes=21, direction="BtoA")


def test_maps_that_nobody_calls_so_are_not_read_as_images():
    maps = np.random.default_rng(0).integers(0, 8, (4, 16, 16, 1)).astype("uint8")
    with pytest.raises(DataError, match="0 to 7 of 255.*classes=8 for label maps, or classes=0"):
        load_pairs((maps, colours(4, 16, 16, 3)))
    assert load_pairs((maps, colours(4, 16, 16, 3)), classes=0).classes is None


def test_a_folder_that_can_be_read_in_two_ways(tmp_path):
    for side in ("A", "B", "trainA", "trainB"):
        write(tmp_path / side, "a")
    with pytest.raises(DataError, match="as trainA and trainB and as A and B"):
        load_pairs(tmp_path)
    write(tmp_path / "more" / "A", "a")
    write(tmp_path / "more" / "B", "a")
    write(tmp_path / "more", "x", size=(16, 32))
    with pytest.raises(DataError, match="A and B and as pictures of A and B side by side in the folder itself"):
        load_pairs(tmp_path / "more")


def test_pictures_that_are_not_two(tmp_path):
    write(tmp_path, "a", size=(16, 16))
    with pytest.raises(DataError, match="side by side.*a.png, 16 wide and 16 high"):
        load_pairs(tmp_path)


def test_damaged_files_are_named(tmp_path):
    for side in "AB":
        write(tmp_path / side, "ab")
    (tmp_path / "B" / "b.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="B/b.png to be an image"):
        load_pairs(tmp_path)
    (tmp_path / "B" / "b.png").unlink()
    write(tmp_path / "B", "b")
    Image.fromarray(np.zeros((16, 16), "uint8")).save(tmp_path / "B" / "b.bmp")
    with pytest.raises(DataError, match="b.bmp and b.png"):
        load_pairs(tmp_path)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"direction": "AtoC"}, "'AtoB', 'BtoA'. Received: 'AtoC'. Did you mean AtoB"),
        ({"channels": 2}, "channels"),
        ({"jitter": 0.5}, "jitter"),
        ({"take": 0}, "take"),
        ({"seed": -1}, "seed"),
        ({"classes": 1}, "2 to 256 classes"),
        ({"image_size": "big"}, "image_size"),
    ],
    ids=str,
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ConfigurationError, match=message):
        load_pairs((colours(2, 16, 16, 3), colours(2, 16, 16, 3)), **options)


def test_sources_that_are_nothing(tmp_path):
    for source in (None, 3, "", (colours(2, 8, 8, 3),)):
        with pytest.raises(DataError, match="two arrays"):
            load_pairs(source)
    with pytest.raises(DataError, match="at least one image"):
        load_unpaired((colours(0, 8, 8, 3), colours(2, 8, 8, 3)))
    with pytest.raises(DataError, match="one split"):
        load_pairs((colours(2, 8, 8, 3), colours(2, 8, 8, 3)), split="test")
    with pytest.raises(DatasetNotFoundError, match="no folders"):
        load_unpaired(tmp_path)


@pytest.mark.parametrize(
    "sides",
    [("trainA", "trainB"), ("testA", "testB"), ("A", "B"), ("A/train", "B/train"), ("train_label", "train_img")],
)
def test_load_does_not_read_two_sides_as_two_classes(sides, tmp_path):
    for side in sides:
        write(tmp_path / side, "ab")
    with pytest.raises(DataError, match=r"kg.data.load_pairs\('.*'\).*kg.data.load_unpaired\("):
        kg.data.load(tmp_path)
    if "/" not in sides[0]:
        assert len(kg.data.load(tmp_path / sides[0], batch_size=1)) == 2


def test_load_reads_classes_named_a_and_b(tmp_path):
    write(tmp_path / "A", "ab")
    write(tmp_path / "B", "cd")
    assert kg.data.load(tmp_path, batch_size=1).labels.tolist() == [0, 0, 1, 1]


# Label maps as targets


needs_tfds = pytest.mark.skipif(
    not all(os.path.isdir(os.path.join(os.environ.get("TFDS_DATA_DIR", ""), name)) for name in ("avatars", "emoji")),
    reason="TFDS_DATA_DIR holds no prepared avatars and emoji",
)


def numbered_maps(count, classes, size=(16, 16), seed=0):
    return np.random.default_rng(seed).integers(0, classes, (count, *size)).astype("uint8")


@pytest.mark.parametrize("channel", [False, True])
def test_targets_that_are_maps_come_from_arrays(channel):
    images, maps = colours(4, 16, 16, 3), numbered_maps(4, 8)
    given = maps[..., None] if channel else maps
    batches = load_pairs((images, given), target_classes=8, augment=False, shuffle=False, batch_size=2)
    assert batches.image_shape == (16, 16) and batches.source_shape == (16, 16, 3)
    assert (batches.classes, batches.target_classes) == (None, 8) and batches.about["image_shape"] == [16, 16]
    np.testing.assert_array_equal(np.concatenate([batches[i]["targets"] for i in range(2)]), maps)
    np.testing.assert_array_equal(batches[1]["sources"], images[2:])
    back = load_pairs((given, images), target_classes=8, direction="BtoA", augment=False)
    np.testing.assert_array_equal(back.arrays["targets"], maps)
    np.testing.assert_array_equal(back.arrays["sources"], images)
    assert (back.classes, back.target_classes, back.direction) == (None, 8, "BtoA")


def test_both_sides_are_maps_each_with_its_own_number_of_classes():
    first, second = numbered_maps(3, 9), numbered_maps(3, 4, seed=1)
    batches = load_pairs((first, second), classes=9, target_classes=4, augment=False)
    assert (batches.classes, batches.target_classes) == (9, 4)
    np.testing.assert_array_equal(batches.arrays["targets"], second)
    back = load_pairs((first, second), classes=4, target_classes=9, direction="BtoA", augment=False)
    np.testing.assert_array_equal(back.arrays["sources"], second)
    with pytest.raises(DataError, match="from 0 to 3"):
        load_pairs((first, second), classes=4, target_classes=9)


def grey_file(numbers, path):
    Image.fromarray(numbers).save(path)


def palette_file(numbers, path):
    """Its colours are not its numbers."""
    picture = Image.fromarray(numbers)
    picture.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200] * 3)
    picture.save(path)


@pytest.mark.parametrize("write_map", [grey_file, palette_file])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_targets_that_are_maps_come_from_files(write_map, direction, tmp_path):
    """The images are of side A from A to B, and of side B on the way back."""
    images, places = ("A", "B") if direction == "AtoB" else ("B", "A"), numbered_maps(3, 8)
    write(tmp_path / images[0], "abc", value=90)
    (tmp_path / images[1]).mkdir()
    for name, numbers in zip("abc", places):
        write_map(numbers, tmp_path / images[1] / f"{name}.png")
    batches = load_pairs(tmp_path, target_classes=8, direction=direction, augment=False, shuffle=False)
    np.testing.assert_array_equal(batches.arrays["targets"], places)
    assert batches.arrays["sources"].shape == (3, 16, 16, 3) and greys(batches.arrays["sources"]) == [90] * 3
    assert (batches.classes, batches.target_classes) == (None, 8)


def test_a_picture_of_both_sides_may_hold_a_map_on_its_right(tmp_path):
    numbers = numbered_maps(1, 8)[0]
    grey_file(np.concatenate([np.full((16, 16), 90, "uint8"), numbers], axis=1), tmp_path / "a.png")
    batches = load_pairs(tmp_path, target_classes=8, augment=False)
    np.testing.assert_array_equal(batches.arrays["targets"][0], numbers)
    assert batches.arrays["sources"].shape == (1, 16, 16, 1) and greys(batches.arrays["sources"]) == [90]


@needs_tfds
def test_tfds_features_are_maps_to_learn():
    pairs = load_pairs("avatars", sides=("image", "parts"), target_classes=8, take=5, augment=False, shuffle=False)
    other = load_pairs("avatars", sides=("parts", "image"), classes=8, take=5, augment=False, shuffle=False)
    assert pairs.source_shape == (64, 64, 3) and pairs.image_shape == (64, 64)
    assert (pairs.classes, pairs.target_classes) == (None, 8) and pairs.about["sides"] == ["image", "parts"]
    np.testing.assert_array_equal(pairs.arrays["targets"], other.arrays["sources"])
    np.testing.assert_array_equal(pairs.arrays["sources"], other.arrays["targets"])
    with pytest.raises(DataError, match="from 0 to 2 in label maps"):
        load_pairs("avatars", sides=("image", "parts"), target_classes=3, take=5)


@needs_tfds
def test_rows_of_a_tfds_data_set_are_pairs_also_unpaired(tmp_path):
    emoji = load_unpaired("emoji", sides=("noto", "twemoji"), take=5, augment=False)
    assert emoji.about["pairs"] is True and emoji.about["sides"] == ["noto", "twemoji"]
    pairs = load_pairs("emoji", sides=("noto", "twemoji"), take=5, augment=False)
    for side, partner in (("a", "sources"), ("b", "targets")):
        np.testing.assert_array_equal(emoji.arrays[side], pairs.arrays[partner])


def test_sides_of_a_folder_and_halves_of_drawings_are_no_pairs(tmp_path):
    write(tmp_path / "A", "ab")
    write(tmp_path / "B", "ab")
    for source in (tmp_path, (colours(2, 16, 16, 3), colours(2, 16, 16, 3)), "drawn:digits"):
        assert "pairs" not in load_unpaired(source, take=2).about


@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_a_target_out_of_range_names_the_file(direction, tmp_path):
    images, maps = ("A", "B") if direction == "AtoB" else ("B", "A")
    write(tmp_path / maps, "abc", mode="L")  # 10, 20, 30
    write(tmp_path / images, "abc")
    assert load_pairs(tmp_path, target_classes=31, direction=direction).target_classes == 31
    with pytest.raises(DataError, match=f"from 0 to 20 in label maps.* Look at .*{maps}/c.png"):
        load_pairs(tmp_path, target_classes=21, direction=direction)
    other = "BtoA" if direction == "AtoB" else "AtoB"
    with pytest.raises(DataError, match=f"one channel.*{images}/a.png.*mode RGB"):
        load_pairs(tmp_path, target_classes=31, direction=other)


def test_both_sides_are_resized_without_mixing_classes(tmp_path):
    """Images are mixed where they are resized: the map of one would have new classes."""
    numbers = np.random.default_rng(0).choice(np.array([0, 3, 7], "uint8"), (2, 16, 16))
    images = np.where(numbers == 3, 255, 0).astype("uint8")[..., None]
    for options, shown in (({"jitter": 1.5}, (16, 16)), ({"image_size": (24, 24), "augment": False}, (24, 24))):
        batches = load_pairs((images, numbers), target_classes=8, **options)
        assert batches.arrays["targets"].shape == (2, 24, 24) and batches.image_shape == shown
        assert set(np.unique(batches.arrays["targets"])) == {0, 3, 7}
        assert len(np.unique(batches.arrays["sources"])) > 2
    both = load_pairs((numbers, numbers // 3), classes=8, target_classes=3, jitter=1.5)
    np.testing.assert_array_equal(both.arrays["sources"] // 3, both.arrays["targets"])  # at the same places
    assert set(np.unique(both.arrays["targets"])) == {0, 1, 2}
    (tmp_path / "B").mkdir()
    write(tmp_path / "A", "ab")
    for name, one in zip("ab", numbers):
        palette_file(one, tmp_path / "B" / f"{name}.png")
    files = load_pairs(tmp_path, target_classes=8, image_size=(24, 24), augment=False)
    assert set(np.unique(files.arrays["targets"])) == {0, 3, 7} and files.image_shape == (24, 24)


def test_maps_to_learn_are_cropped_and_flipped_with_their_images():
    maps = numbered_maps(6, 8, (20, 20))
    batches = PairedBatches(
        np.repeat(maps[..., None], 3, -1), maps, crop=(16, 16), flip=True, target_classes=8, batch_size=3
    )
    for step in range(8):
        np.testing.assert_array_equal(batches.at(step)["sources"][..., 1], batches.at(step)["targets"])
    assert batches.image_shape == (16, 16) and batches.at(0)["targets"].shape == (3, 16, 16)
    assert not np.array_equal(batches.at(0)["targets"], batches.at(2)["targets"])


@pytest.mark.parametrize("classes", [0, 1, 257, "8"])
def test_impossible_numbers_of_target_classes_are_refused(classes):
    with pytest.raises(ConfigurationError, match="2 to 256 classes"):
        load_pairs((colours(2, 16, 16, 3), numbered_maps(2, 2)), target_classes=classes)


@pytest.mark.parametrize("load", [kg.data.load_pairs, kg.data.load_unpaired])
def test_each_side_has_its_own_depth(load, tmp_path):
    """Colour in 8 bits beside its depth map of 12 bits in 16."""
    for side in "AB":
        (tmp_path / side).mkdir()
    for i, high in enumerate((4095, 1000)):
        Image.new("RGB", (8, 8), (i, 9, 9)).save(tmp_path / "A" / f"{i}.png")
        Image.fromarray(np.full((8, 8), high, "uint16")).save(tmp_path / "B" / f"{i}.png")
    with pytest.warns(UserWarning, match="Read 2 images of 16 bits as 12 bits") as caught:
        batches = load(tmp_path, augment=False, shuffle=False)
    assert len(caught) == 1 and caught[0].filename == __file__
    a, b = batches.arrays.values()
    assert a.shape == (2, 8, 8, 3) and b[:, 0, 0].tolist() == [[255], [1000 >> 4]]
    with pytest.warns(UserWarning, match="as 12 bits"):
        assert load(tmp_path, augment=False, channels=3).arrays.popitem()[1].shape == (2, 8, 8, 3)


def test_transparency_of_pairs_is_kept_or_becomes_white_in_words(tmp_path):
    for side in "AB":
        (tmp_path / side).mkdir()
        Image.new("RGBA", (8, 8), (1, 2, 3, 0)).save(tmp_path / side / "0.png")
    batch = kg.data.load_pairs(tmp_path, channels=4, augment=False)[0]
    assert batch["sources"].shape == batch["targets"].shape == (1, 8, 8, 4)
    assert batch["targets"][0, 0, 0, 3] == 0
    with pytest.warns(UserWarning, match="white in 1 of 1 images") as caught:
        assert kg.data.load_pairs(tmp_path, augment=False)[0]["targets"].min() == 255
    assert len(caught) == 2  # one for each side
    assert kg.data.load_pairs(tmp_path, channels=3, augment=False)[0]["targets"].min() == 255


@pytest.mark.parametrize(
    "images, message",
    [
        (np.linspace(0, 1, 192).reshape(4, 4, 4, 3), "none of them negative"),
        (np.zeros((4, 3, 8, 8), "uint8"), r"np.moveaxis\(images, 1, -1\)"),
        (np.full((4, 4, 4, 3), 4000, "uint16"), "12 bits"),
        (np.zeros((4, 64), "uint8"), r"images.reshape\(-1, 8, 8, 1\)"),
    ],
)
def test_arrays_that_are_no_images_are_refused_on_both_sides(images, message):
    good = np.zeros((4, *images.shape[1:]), "uint8")
    good = good if good.ndim == 4 and good.shape[-1] == 3 else np.zeros((4, 4, 4, 3), "uint8")
    for load in (kg.data.load_pairs, kg.data.load_unpaired):
        for sides in ((images, good), (good, images)):
            with pytest.raises(DataError, match=message):
                load(sides)


# Maps of instances


CITYSCAPES = ("train_label/{}_gtFine_labelIds", "train_img/{}_leftImg8bit", "train_inst/{}_gtFine_instanceIds")


def write_scenes(folder, files=CITYSCAPES, names="abc", classes=5, size=(16, 16)):
    """Label maps, photos of which a pixel is 40 times its class, and ids of 16 bits, a thousand times its class."""
    maps = numbered_maps(len(names), classes, size)
    for name, numbers in zip(names, maps):
        for file, values in zip(files, (numbers, numbers * 40, numbers.astype("uint16") * 1000)):
            path = folder / f"{file.format(name)}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(path)
    return maps


@pytest.mark.parametrize(
    "files",
    [
        CITYSCAPES,
        ("train_A/{}", "train_B/{}", "train_inst/{}"),
        ("A/{}", "B/{}", "inst/{}"),
        ("trainA/{}", "trainB/{}", "traininst/{}"),
        ("A/train/{}", "B/train/{}", "inst/train/{}"),
        ("train/A/{}", "train/B/{}", "train/inst/{}"),
    ],
    ids=lambda files: files[0],
)
def test_instances_come_from_a_third_folder(files, tmp_path):
    maps = write_scenes(tmp_path, files)
    batches = load_pairs(tmp_path, classes=5, instances="inst", augment=False, shuffle=False)
    np.testing.assert_array_equal(batches.arrays["sources"], maps)
    np.testing.assert_array_equal(batches.arrays["targets"][..., 0], maps * 40)
    np.testing.assert_array_equal(batches.arrays["instances"], maps.astype("int32") * 1000)
    assert batches.about["sides"].endswith(os.path.dirname(files[2])) and batches.about["examples"] == 3
    assert "instances" not in load_pairs(tmp_path, classes=5, augment=False).arrays


def test_a_split_and_named_sides_have_instances_too(tmp_path):
    write_scenes(tmp_path, names="abc")
    maps = write_scenes(tmp_path, [file.replace("train", "test") for file in CITYSCAPES], names="de")
    options = {"classes": 5, "instances": "inst", "split": "test", "augment": False, "shuffle": False}
    for sides in (None, ("label", "img")):
        batches = load_pairs(tmp_path, sides=sides, **options)
        np.testing.assert_array_equal(batches.arrays["instances"], maps.astype("int32") * 1000)


@pytest.mark.parametrize("write_map", [grey_file, palette_file])
def test_ids_may_have_eight_bits(write_map, tmp_path):
    maps = write_scenes(tmp_path)
    for name, numbers in zip("abc", maps):
        write_map(numbers, tmp_path / "train_inst" / f"{name}_gtFine_instanceIds.png")
    batches = load_pairs(tmp_path, classes=5, instances="inst", augment=False, shuffle=False)
    np.testing.assert_array_equal(batches.arrays["instances"], maps)


@pytest.mark.parametrize("image_size", [(16, 16), (8, 12), None])
@pytest.mark.parametrize("direction", ["AtoB", "BtoA"])
def test_instances_are_resized_cropped_and_mirrored_with_their_pair(image_size, direction, tmp_path):
    write_scenes(tmp_path, size=(20, 20))
    numbers = {"classes": 5} if direction == "AtoB" else {"classes": 0, "target_classes": 5}
    batches = load_pairs(
        tmp_path, instances="inst", direction=direction, image_size=image_size, jitter=1.5, batch_size=3, **numbers
    )
    labels = "sources" if direction == "AtoB" else "targets"
    changed = set()
    for step in range(8):
        batch = batches[step]
        assert batch["instances"].shape[1:] == batches.crop
        np.testing.assert_array_equal(batch["instances"], batch[labels].astype("int32") * 1000)
        changed.add(batch["instances"].tobytes())
    assert len(changed) == 8


def test_a_part_of_the_pairs_has_its_own_instances(tmp_path):
    write_scenes(tmp_path, names="abcdefghij")
    batches = load_pairs(tmp_path, classes=5, instances="inst", take=4, augment=False)
    assert len(batches.arrays["instances"]) == 4
    np.testing.assert_array_equal(batches.arrays["instances"], batches.arrays["sources"].astype("int32") * 1000)


def test_maps_of_instances_that_do_not_belong_to_the_pairs_are_refused(tmp_path):
    options = {"classes": 5, "instances": "inst"}
    write_scenes(tmp_path, CITYSCAPES[:2])
    with pytest.raises(DataError, match="label, train_img and train_inst in .*no train_inst. .*leave out instances"):
        load_pairs(tmp_path, **options)
    write_scenes(tmp_path)
    (tmp_path / "train_inst" / "c_gtFine_instanceIds.png").unlink()
    with pytest.raises(DataError, match="train_label and train_inst.* Received: 3 and 2; 1 without a partner in .*: c"):
        load_pairs(tmp_path, **options)
    write_scenes(tmp_path, CITYSCAPES[2:], names="cd")
    with pytest.raises(DataError, match="train_inst and train_label.* Received: 4 and 3; 1 without a partner in .*: d"):
        load_pairs(tmp_path, **options)


def test_maps_of_instances_that_cannot_be_used_are_refused(tmp_path):
    options = {"classes": 5, "instances": "inst"}
    write_scenes(tmp_path)
    path = tmp_path / "train_inst" / "b_gtFine_instanceIds.png"
    for mode in ("RGB", "LA"):
        Image.new(mode, (16, 16)).save(path)
        with pytest.raises(DataError, match=f"of 8 or 16 bits, .*b_gtFine_instanceIds.png, of Pillow's mode {mode}"):
            load_pairs(tmp_path, **options)
    Image.new("L", (16, 8)).save(path)
    with pytest.raises(DataError, match=r"the image .*b_.*, \(16, 16\), and the map of instances .*b_.*, \(8, 16\)"):
        load_pairs(tmp_path, **options)
    Image.new("L", (16, 16)).save(path)
    Image.new("L", (16, 16)).save(path.with_name("b.png"))
    with pytest.raises(DataError, match="one image of each scene in .*train_inst. Received: b.png and b_gtFine"):
        load_pairs(tmp_path, **options)


@pytest.mark.parametrize("source", ["arrays", "drawn:digits", "nowhere"])
def test_instances_are_of_folders_alone(source):
    source = (colours(2, 16, 16, 3), colours(2, 16, 16, 3)) if source == "arrays" else source
    with pytest.raises(ConfigurationError, match="name of a folder .*instances='inst'.*PairedBatches"):
        load_pairs(source, instances="inst")


@pytest.mark.parametrize("instances", ["", True, numbered_maps(3, 5)], ids=["empty", "true", "array"])
def test_instances_are_the_name_of_a_folder(instances, tmp_path):
    write_scenes(tmp_path)
    with pytest.raises(ConfigurationError, match="name of a folder with maps of instances.*PairedBatches"):
        load_pairs(tmp_path, classes=5, instances=instances)


def test_two_folders_are_not_pairs_for_want_of_the_third_alone(tmp_path):
    with pytest.raises(
        DatasetNotFoundError, match="trainA, trainB and traininst; .*train_label, train_img and train_i"
    ):
        load_pairs(tmp_path, instances="inst")

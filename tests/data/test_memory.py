"""A folder of images takes the memory of its array, and what does not fit is refused before it is decoded."""

import os
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.data import decoded, decoding, loading, pair_files
from keras_gans.data.headers import size_of
from keras_gans.errors import DataError
from keras_gans_core import memory

SIDE, COUNT = 96, 120
MOST = 1.3  # times the array


def levels(i, mode="RGB", size=(SIDE, SIDE)):
    shape = {"RGB": (*size, 3), "RGBA": (*size, 4), "L": size, "I;16": size}[mode]
    numbers = np.random.default_rng(i).integers(0, 256, shape)
    return (numbers * 257).astype("uint16") if mode == "I;16" else numbers.astype("uint8")


def written(folder, modes=("RGB",), count=COUNT, ending="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(levels(i, modes[i % len(modes)])).save(folder / f"{i:04}.{ending}")
    return folder


@pytest.fixture
def opened(monkeypatch):
    """The names of the files that are opened to be decoded."""
    names, plain = [], decoding.opened

    def counted(path, *arguments):
        names.append(path.name)
        return plain(path, *arguments)

    for module in (loading, pair_files):
        monkeypatch.setattr(module, "opened", counted)
    return names


@pytest.fixture(scope="module", autouse=True)
def imports(tmp_path_factory):
    """What Pillow and Keras import at the first reading is not the images'."""
    kg.data.load(written(tmp_path_factory.mktemp("first"), count=2), batch_size=1)


def peak(read):
    """The most memory that Python and NumPy take while `read` runs, in bytes; and what it returns."""
    tracemalloc.start()
    try:
        found = read()
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


READS = {
    "colour": (("RGB",), "png", {}),
    "photos": (("RGB",), "jpg", {}),
    "grey": (("L",), "png", {}),
    "grey and colour": (("L", "RGB"), "png", {}),
    "transparent": (("RGBA",), "png", {"channels": 4}),
    "16 bits": (("I;16",), "png", {}),
    "16 bits and colour": (("I;16", "RGB"), "tif", {}),
    "resized": (("RGB",), "png", {"image_size": (80, 64)}),
    "some": (("RGB",), "png", {"take": 100}),
}


@pytest.mark.parametrize("kind", READS)
def test_a_folder_takes_little_more_than_its_array(kind, tmp_path):
    modes, ending, options = READS[kind]
    written(tmp_path / "photos", modes, ending=ending)
    most, batches = peak(lambda: kg.data.load(tmp_path / "photos", batch_size=8, **options))
    assert most <= MOST * batches.images.nbytes


def test_a_folder_whose_images_are_kept_for_a_resumed_run_takes_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(decoded, "WORTH", 0.0)
    written(tmp_path / "photos", count=100)
    for _ in range(2):
        with decoded.kept_in(tmp_path / "run"):  # NumPy writes pieces of 16 MiB
            most, batches = peak(lambda: kg.data.load(tmp_path / "photos", image_size=(512, 512), batch_size=8))
        assert (tmp_path / "run" / decoded.NAME).exists() and most <= MOST * batches.images.nbytes


@pytest.mark.parametrize("load", [kg.data.load_pairs, kg.data.load_unpaired])
def test_two_sides_take_little_more_than_their_arrays(load, tmp_path):
    for side in ("A", "B"):
        written(tmp_path / side, count=60)
    most, batches = peak(lambda: load(tmp_path, batch_size=8, augment=False))
    assert most <= MOST * sum(array.nbytes for array in batches.arrays.values())


def test_pictures_of_two_sides_take_little_more_than_their_arrays(tmp_path):
    for i in range(60):
        Image.fromarray(levels(i, size=(SIDE, 2 * SIDE))).save(tmp_path / f"{i}.png")
    most, batches = peak(lambda: kg.data.load_pairs(tmp_path, batch_size=8, augment=False))
    assert most <= MOST * sum(array.nbytes for array in batches.arrays.values())


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_checking_an_array_copies_nothing(dtype):
    images = np.zeros((300, 64, 64, 3), dtype)
    images[:, 0] = 255 if dtype == "uint8" else -1.0
    gan = kg.GAN(image_shape=(64, 64, 3), latent_dim=2)
    assert peak(lambda: gan.batch_fields["images"].check(images))[0] <= 0.1 * images.nbytes
    assert peak(lambda: kg.data.load(images, batch_size=8))[0] <= 0.1 * images.nbytes


def test_a_process_grows_by_little_more_than_the_array(tmp_path):
    """What Pillow takes counts too: the difference of the process's highest memory."""
    Image.fromarray(levels(0, size=(512, 512))).resize((1024, 1024)).save(tmp_path / "0.jpg")
    for i in range(1, 64):
        os.link(tmp_path / "0.jpg", tmp_path / f"{i}.jpg")
    script = (
        "import resource, sys, keras_gans as kg\n"
        "def highest(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "kg.data.load('drawn:digits', take=8, batch_size=1); before = highest()\n"
        "batches = kg.data.load(sys.argv[1], batch_size=8)\n"
        "print((highest() - before) / batches.images.nbytes)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert float(run.stdout.splitlines()[-1]) <= MOST


# Before anything is decoded


def test_many_links_to_a_large_picture_are_refused_at_once(tmp_path, opened):
    Image.new("L", (9000, 9000)).save(tmp_path / "0.png")
    for i in range(1, 20_000):
        os.symlink(tmp_path / "0.png", tmp_path / f"{i}.png")
    with pytest.raises(DataError, match=r"20,000 of 9000x9000x1, which take 1.47 TiB, with .* free. .*--image-size"):
        kg.data.load(tmp_path, batch_size=8)
    assert opened == []


@pytest.mark.parametrize(
    "options", [{}, {"channels": 3}, {"image_size": (64, 64)}, {"image_size": (64, 64), "channels": 1}]
)
def test_what_does_not_fit_is_refused_before_it_is_decoded(options, tmp_path, opened, monkeypatch):
    written(tmp_path / "photos", count=4)
    side, channels = options.get("image_size", (SIDE,))[0], options.get("channels", 3)
    needed = 4 * side**2 * channels
    monkeypatch.setattr(memory, "free_memory", lambda: needed - 1)
    with pytest.raises(
        DataError, match=f"4 of {side}x{side}x{channels}, which take .* KiB, with .* KiB free"
    ) as caught:
        kg.data.load(tmp_path / "photos", batch_size=2, **options)
    assert opened == [] and "take=" in str(caught.value)
    monkeypatch.setattr(memory, "free_memory", lambda: needed)
    assert len(kg.data.load(tmp_path / "photos", batch_size=2, **options)) == 2
    assert len(kg.data.load(tmp_path / "photos", batch_size=2, take=2, **options)) == 1


@pytest.mark.parametrize("load", [kg.data.load_pairs, kg.data.load_unpaired])
def test_two_sides_must_fit_together(load, tmp_path, opened, monkeypatch):
    for side in ("A", "B"):
        written(tmp_path / side, count=4)
    monkeypatch.setattr(memory, "free_memory", lambda: 6 * SIDE**2 * 3)  # for one side alone
    with pytest.raises(DataError, match="Expected images that fit into memory"):
        load(tmp_path, augment=False)
    assert opened == []


def test_an_allocation_that_fails_is_an_error_with_the_numbers(tmp_path, opened, monkeypatch):
    written(tmp_path / "photos", count=2)

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(memory, "free_memory", lambda: None)
    monkeypatch.setattr(decoding.np, "empty", full)
    with pytest.raises(DataError, match=f"2 of {SIDE}x{SIDE}x3, which take 54 KiB"):
        kg.data.load(tmp_path / "photos", batch_size=2)
    assert opened == []


def test_several_sizes_are_refused_after_one_image_of_each_of_two(tmp_path, opened):
    written(tmp_path / "photos", count=50)
    for i in range(10, 20):
        Image.new("L", (32 + i, 32)).save(tmp_path / "photos" / f"{i}.jpg")
    with pytest.raises(
        DataError, match=r"11 sizes, from \(32, 42\) to \(96, 96\), such as 0000.png, \(96, 96\) and 10.jpg"
    ):
        kg.data.load(tmp_path / "photos", batch_size=8)
    assert len(opened) == 2


def test_sizes_of_pairs_are_compared_before_one_is_decoded(tmp_path, opened):
    for side in ("A", "B"):
        written(tmp_path / side, count=3)
    Image.new("RGB", (32, 40)).save(tmp_path / "B" / "0002.png")
    with pytest.raises(DataError, match=r"the source .*A/0002.png, \(96, 96\), and the target .*, \(40, 32\)"):
        kg.data.load_pairs(tmp_path)
    with pytest.raises(DataError, match=r"the source .*B/0002.png, \(40, 32\), and the target .*, \(96, 96\)"):
        kg.data.load_pairs(tmp_path, direction="BtoA")
    with pytest.raises(DataError, match=r"B/0000.png, \(96, 96\), and .*B/0002.png, \(40, 32\)"):
        kg.data.load_unpaired(tmp_path)
    assert opened == []


# An image for which there is no memory


def no_memory(kind):
    def convert(self, *arguments, **options):
        raise MemoryError if kind == "MemoryError" else OSError("out of memory error when reading image file")

    return convert


@pytest.mark.parametrize("kind", ["MemoryError", "OSError"])
@pytest.mark.parametrize(
    "read",
    [
        lambda folder: kg.data.load(folder / "A", batch_size=2),
        lambda folder: kg.data.load(folder / "A", batch_size=2, take=2, strict=True),
        lambda folder: kg.data.load_pairs(folder),
        lambda folder: kg.data.load_unpaired(folder),
        lambda folder: kg.data.read_pictures([folder / "A" / "0000.png"], (SIDE, SIDE, 3)),
    ],
    ids=["folder", "some", "pairs", "domains", "pictures"],
)
def test_too_little_memory_is_not_an_unreadable_file(kind, read, tmp_path, monkeypatch):
    for side in ("A", "B"):
        written(tmp_path / side, count=3)
    monkeypatch.setattr(Image.Image, "convert", no_memory(kind))
    with pytest.raises(DataError, match=r"Expected memory for decoding .*0000.png.*free.*--image-size") as caught:
        read(tmp_path)
    assert "cannot be read" not in str(caught.value) and "to be an image" not in str(caught.value)


def test_a_process_with_a_limit_gets_errors_with_the_numbers(tmp_path):
    """100 MiB are left: too few for an array of 185 MiB, and for a picture of 9000x9000 to be made small."""
    (tmp_path / "many").mkdir()
    written(tmp_path / "many", count=1)
    for i in range(1, 7000):
        os.link(tmp_path / "many" / "0000.png", tmp_path / "many" / f"{i:04}.png")
    written(tmp_path / "large", count=1)
    Image.new("RGB", (9000, 9000)).save(tmp_path / "large" / "0.png")
    script = (
        "import resource, sys, keras_gans as kg\n"
        "from keras_gans_core import memory\n"
        "kg.data.load(sys.argv[1] + '/many', take=8, batch_size=1)\n"
        "size = memory._numbers(memory.Path('/proc/self/status'))['VmSize'] * 1024\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 100 * 2**20,) * 2)\n"
        "for name, options in (('many', {}), ('large', {'image_size': (8, 8)})):\n"
        "    try: kg.data.load(sys.argv[1] + '/' + name, batch_size=1, **options)\n"
        "    except kg.errors.DataError as error: print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    many, large = run.stdout.splitlines()
    assert (
        "7,000 of 96x96x3, which take 185 MiB, with " in many
        and "large/0.png. Received: too little. There are" in large
    )


# What is read stays the same


def test_images_that_cannot_be_read_make_place_for_others(tmp_path):
    """The first that can be read in the drawn order, sorted by their names; one of colour after grey ones too."""
    folder = written(tmp_path / "photos", ("L",), count=12)
    drawn = np.random.Generator(np.random.PCG64(0)).permutation(np.arange(12))
    for i in drawn[[1, 4]]:
        (folder / f"{i:04}.png").write_bytes(b"")
    Image.fromarray(levels(0)).save(folder / f"{drawn[6]:04}.png")
    with pytest.warns(UserWarning, match="Left out 2 of 12 files"):
        images = kg.data.load(folder, take=5, batch_size=1).images
    chosen = sorted(drawn[[0, 2, 3, 5, 6]])
    assert images.shape == (5, SIDE, SIDE, 3)
    for image, i in zip(images, chosen):
        with Image.open(folder / f"{i:04}.png") as picture:
            np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("channels", [None, 3, 4])
def test_the_depth_of_all_files_is_found_while_they_are_read(channels, tmp_path):
    """Each higher level that comes makes those before it darker; colour stays as it is."""
    highest = [200, 900, 1000, 4000, 3, 16000]
    for i, level in enumerate(highest):
        Image.fromarray(np.full((4, 4), level, "uint16")).save(tmp_path / f"{i}.png")
    Image.new("RGB", (4, 4), (9, 8, 7)).save(tmp_path / "2b.png")
    with pytest.warns(UserWarning, match="Read 6 images of 16 bits as 14 bits, since no value is above 16000"):
        images = kg.data.load(tmp_path, batch_size=1, channels=channels).images
    assert images[3, 0, 0, :3].tolist() == [9, 8, 7]
    assert np.delete(images, 3, 0)[:, 0, 0, :3].tolist() == [[level >> 6] * 3 for level in highest]
    assert channels != 4 or (images[..., 3] == 255).all()


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif", "tif"])
def test_the_size_in_the_head_is_the_size_of_the_image(ending, tmp_path):
    path, held = tmp_path / f"a.{ending}", 0
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
        try:
            Image.new(mode, (20, 10)).save(path)
            with Image.open(path) as image:
                image.load()
        except (OSError, ValueError):  # the format does not hold it, or this Pillow does not read what it wrote
            continue
        held += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of transparent areas
            assert size_of(path) == kg.data.load(tmp_path, batch_size=1).image_shape, mode
    assert held >= 4


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_size_in_the_head_is_upright(ending, orientation, tmp_path):
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (20, 10)).save(path, exif=exif(orientation))
    assert size_of(path) == ((20, 10, 3) if orientation == 6 else (10, 20, 3))
    assert kg.data.load(tmp_path, batch_size=1).image_shape == size_of(path)


def test_a_long_head_is_read_to_its_end(tmp_path):
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", icc_profile=b"\xff\xc0" * 9000)
    assert size_of(tmp_path / "a.jpg") == (10, 20, 3)


@pytest.mark.parametrize("content", [b"", b"\x89PNG", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n" + bytes(40), bytes(100)])
def test_a_head_that_is_none_has_no_size(content, tmp_path):
    (tmp_path / "a.png").write_bytes(content)
    assert size_of(tmp_path / "a.png") is None and size_of(tmp_path / "missing.png") is None


def test_free_memory_is_below_that_of_the_machine_and_follows_a_limit():
    assert 0 < memory.free_memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    script = (
        "import resource; from keras_gans_core import memory\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); print(memory.free_memory())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 2**29 < int(run.stdout) < 2**30

"""Clips from files and arrays: what is read, how it is cut, and what is refused."""

import numpy as np
import pytest
from PIL import Image

import keras_gans as kg
from keras_gans.errors import ConfigurationError, DataError, DatasetNotFoundError
from keras_gans_core import memory


def levels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def pillow(frame):
    return Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame)


def write_frames(folder, clip, name="{}.png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(clip):
        pillow(frame).save(folder / name.format(i))


def write_animation(path, clip):
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(pillow, clip)
    first.save(path, save_all=True, append_images=others, duration=80, loop=0)


# Arrays


def test_examples_are_cut_one_after_the_other():
    clips = levels(2, 25, 4, 4, 1)
    batches = kg.data.load_clips(clips, batch_size=1, augment=False, shuffle=False)
    assert batches.count == 4 and batches.image_shape == (4, 4, 1)
    for i, example in enumerate([clips[0, :12], clips[0, 12:24], clips[1, :12], clips[1, 12:24]]):
        np.testing.assert_array_equal(batches.arrays["clips"][i], example[:4])
        np.testing.assert_array_equal(batches.arrays["frames"][i], example[4])
        np.testing.assert_array_equal(batches.arrays["later"][i], example[5:])
    np.testing.assert_array_equal(batches.at(2)["clips"][0], clips[1, :4])


def test_clips_of_several_lengths_are_cut_to_the_shortest():
    clips = [levels(7, 4, 4, 1), levels(15, 4, 4, 1, seed=1)]
    batches = kg.data.load_clips(clips, context=2, batch_size=1)
    assert batches.count == 3 and batches.arrays["later"].shape[1] == 7 - 3
    np.testing.assert_array_equal(batches.arrays["clips"][2], clips[1][7:9])
    assert kg.data.load_clips(clips, context=2, length=5, batch_size=1).count == 1 + 3


def test_a_batch_begins_anywhere_in_its_example():
    """A function of the seed and the step: frame f of example e has the level 20 e + f."""
    whole = (20 * np.arange(6)[:, None] + np.arange(10)).astype("uint8")[..., None, None, None]
    whole = np.broadcast_to(whole, (6, 10, 2, 2, 1))
    batches = kg.data.load_clips(whole, context=3, length=10, batch_size=6, seed=1)
    starts = []
    for step in range(40):
        batch = batches.at(step)
        clips, frames = batch["clips"][..., 0, 0, 0].astype(int), batch["frames"][..., 0, 0, 0].astype(int)
        np.testing.assert_array_equal(np.diff(np.column_stack([clips, frames]), axis=1), 1)
        assert sorted(clips[:, 0] // 20) == list(range(6))
        starts += (clips[:, 0] % 20).tolist()
        for name, array in batches.at(step).items():
            np.testing.assert_array_equal(array, batch[name])
    assert set(starts) == set(range(10 - 3))
    plain = kg.data.load_clips(whole, context=3, length=10, batch_size=6, augment=False).at(3)
    assert set((plain["clips"][:, 0, 0, 0, 0] % 20).tolist()) == {0}


def test_some_examples_can_be_taken():
    clips = levels(9, 6, 4, 4, 1)
    batches = kg.data.load_clips(clips, batch_size=1, take=4)
    assert batches.count == 4 and batches.about["drawn"] and batches.about["examples"] == 4
    again = kg.data.load_clips(clips, batch_size=1, take=4)
    assert batches.fingerprint() == again.fingerprint()


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_numpy_files_are_read(kind, tmp_path):
    clips, path = levels(3, 6, 4, 4, 3), tmp_path / f"clips.{kind}"
    np.save(path, clips) if kind == "npy" else np.savez(path, clips=clips)
    batches = kg.data.load_clips(path, batch_size=1)
    np.testing.assert_array_equal(batches.arrays["clips"], clips[:, :4])
    np.savez(tmp_path / "other.npz", images=clips)
    with pytest.raises(DataError, match="named clips"):
        kg.data.load_clips(tmp_path / "other.npz", batch_size=1)


def test_floats_stay_and_bytes_are_resized():
    floats = np.linspace(-1.0, 1.0, 2 * 6 * 16, dtype="float32").reshape(2, 6, 4, 4, 1)
    assert kg.data.load_clips(floats, batch_size=1).arrays["clips"].dtype == "float32"
    with pytest.raises(DataError, match="uint8 clips to resize"):
        kg.data.load_clips(floats, image_size=(8, 8), batch_size=1)
    for channels in (1, 3):
        batches = kg.data.load_clips(levels(2, 6, 4, 6, channels), image_size=(2, 2), batch_size=1)
        assert batches.image_shape == (2, 2, channels)
    assert kg.data.load_clips(levels(2, 6, 4, 4, 1), channels=3, batch_size=1).image_shape == (4, 4, 3)


@pytest.mark.parametrize(
    "source, options, error, message",
    [
        (levels(2, 4, 4, 4, 1), {}, DataError, "5 frames or more: 4 that .* Received: clip 0 with 4, clip 1 with 4"),
        ([levels(9, 4, 4, 1), levels(3, 4, 4, 1)], {}, DataError, "Received: clip 1 with 3"),
        (levels(2, 9, 4, 4, 1), {"length": 10}, DataError, "10 frames or more: the length"),
        (
            [levels(9, 4, 4, 1), levels(9, 4, 6, 1)],
            {},
            DataError,
            r"one size.*clip 0, \(4, 4, 1\).*clip 1, \(4, 6, 1\)",
        ),
        ([levels(9, 4, 4, 1), levels(9, 4, 4, 3)], {}, DataError, "clips of one size"),
        (levels(9, 4, 4, 1), {}, DataError, r"clips\[None\]"),
        ([levels(4, 4, 1)], {}, DataError, "a list of clips"),
        ([], {}, DataError, "at least one clip"),
        (levels(2, 9, 0, 4, 1), {}, DataError, r"with pixels. Received: clip 0, \(9, 0, 4, 1\)"),
        (levels(2, 9, 4, 4, 2), {"image_size": (2, 2)}, DataError, "1, 3 or 4 channels to resize. Received: 2"),
        (levels(2, 9, 4, 4, 1).astype("int32"), {}, DataError, "int32"),
        (levels(2, 9, 4, 4, 3), {"channels": 1}, DataError, "grey clips"),
        (levels(2, 9, 4, 4, 1), {"split": "test"}, DataError, "split='train'"),
        (levels(2, 9, 4, 4, 1), {"context": 0}, ConfigurationError, "context of 1"),
        (levels(2, 9, 4, 4, 1), {"length": 4}, ConfigurationError, "length of 5 or more"),
        (levels(2, 9, 4, 4, 1), {"take": 0}, ConfigurationError, "take of 1"),
        (levels(2, 9, 4, 4, 1), {"channels": 4}, ConfigurationError, "1 or 3 channels"),
        ("moving_cats", {}, DatasetNotFoundError, "moving_digits, moving_photos"),
        ("moving_digits", {"split": "validation"}, DataError, "'train' or 'test'"),
    ],
)
def test_what_cannot_be_cut_is_refused(source, options, error, message):
    with pytest.raises(error, match=message):
        kg.data.load_clips(source, batch_size=1, **options)


def test_batches_of_too_few_frames_are_refused():
    with pytest.raises(DataError, match="5 frames or more"):
        kg.data.ClipBatches(levels(3, 4, 4, 4, 1))
    with pytest.raises(DataError, match="clips"):
        kg.data.ClipBatches(levels(3, 8, 4, 4))


# Files


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_an_animation_is_a_clip(ending, tmp_path):
    clip = np.repeat(np.arange(0, 250, 25, dtype="uint8"), 64).reshape(10, 8, 8, 1)
    write_animation(tmp_path / f"clip.{ending}", clip)
    read = kg.data.read_clip(tmp_path / f"clip.{ending}")
    assert read.shape == (10, 8, 8, 1) and read.dtype == np.uint8
    assert np.abs(read.astype(int) - clip).max() <= (4 if ending == "webp" else 0)
    batches = kg.data.load_clips(tmp_path / f"clip.{ending}", batch_size=1, length=5)
    assert batches.count == 2


def test_a_colour_gif_keeps_its_colours(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 0, 0], [255, 255, 255]], "uint8")
    clip = np.broadcast_to(colours[:, None, None], (6, 8, 8, 3))
    write_animation(tmp_path / "a.gif", clip)
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path / "a.gif"), clip)
    with pytest.raises(DataError, match="grey frames"):
        kg.data.read_clip(tmp_path / "a.gif", channels=1)


def test_a_folder_of_frames_is_a_clip_in_the_order_of_their_numbers(tmp_path):
    clip = levels(12, 6, 8, 1)
    write_frames(tmp_path, clip)  # 0.png, 1.png, 10.png, ...
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path), clip)
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path, channels=3), clip.repeat(3, axis=-1))
    assert kg.data.read_clip(tmp_path, image_size=(4, 4)).shape == (12, 4, 4, 1)
    batches = kg.data.load_clips(tmp_path, batch_size=1, augment=False)
    np.testing.assert_array_equal(batches.arrays["frames"][0], clip[4])


def test_frames_of_a_camera_that_was_turned_are_upright(tmp_path):
    frames = np.stack([np.tile(np.linspace(0, 20 * i, 8).astype("uint8")[:, None], (1, 16)) for i in range(1, 4)])
    for i, frame in enumerate(frames):
        exif = Image.Exif()
        exif[0x0112] = 6  # to be turned by 90 degrees clockwise
        Image.fromarray(frame).save(tmp_path / f"{i}.jpg", exif=exif, quality=100)
    read = kg.data.read_clip(tmp_path)
    assert read.shape == (3, 16, 8, 1)
    assert np.abs(read[..., 0].astype(int) - np.rot90(frames, -1, axes=(1, 2))).max() <= 2


def test_a_folder_of_clips_has_animations_and_subfolders(tmp_path):
    grey, colour = levels(6, 8, 8, 1), levels(6, 8, 8, 3)
    write_frames(tmp_path / "train" / "10", colour, "frame_{}.png")
    write_frames(tmp_path / "train" / "9", grey)
    write_animation(tmp_path / "train" / "2.png", grey)
    write_frames(tmp_path / "test" / "0", grey[:5])
    batches = kg.data.load_clips(tmp_path, batch_size=1, augment=False)
    assert batches.count == 3 and batches.image_shape == (8, 8, 3)
    expected = [grey.repeat(3, axis=-1)] * 2 + [colour]
    np.testing.assert_array_equal(batches.arrays["clips"], [clip[:4] for clip in expected])
    assert kg.data.load_clips(tmp_path, split="test", batch_size=1).count == 1
    with pytest.raises(DataError, match="a folder validation"):
        kg.data.load_clips(tmp_path, split="validation", batch_size=1)


def test_frames_and_clips_of_several_sizes_are_refused(tmp_path):
    write_frames(tmp_path / "a", levels(6, 8, 8, 1))
    write_frames(tmp_path / "b", levels(6, 8, 6, 1))
    with pytest.raises(DataError, match=r"clips of one size. Received: a, \(8, 8, 1\), and b, \(8, 6, 1\)"):
        kg.data.load_clips(tmp_path, batch_size=1)
    assert kg.data.load_clips(tmp_path, image_size=(4, 4), batch_size=1).count == 2
    pillow(levels(4, 4, 1)).save(tmp_path / "a" / "3.png")
    with pytest.raises(DataError, match=r"frames of one size in .*a. Received: 0.png, \(8, 8\), and 3.png, \(4, 4\)"):
        kg.data.read_clip(tmp_path / "a")


def test_what_is_no_clip_is_refused(tmp_path):
    pillow(levels(8, 8, 1)).save(tmp_path / "one.gif")
    for read in (kg.data.read_clip, kg.data.load_clips):
        with pytest.raises(DataError, match="animation of several frames. Received: .*one.gif, which has one"):
            read(tmp_path / "one.gif")
    with pytest.raises(DataError, match="one.gif, which has one"):
        kg.data.load_clips(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="nosuch.gif"):
        kg.data.read_clip(tmp_path / "nosuch.gif")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.gif").write_bytes((tmp_path / "one.gif").read_bytes()[:12])
    with pytest.raises(DataError, match="a.gif to be an image"):
        kg.data.read_clip(tmp_path / "broken" / "a.gif")
    (tmp_path / "empty").mkdir()
    for read in (kg.data.read_clip, kg.data.load_clips):
        with pytest.raises(DataError, match="Received: none"):
            read(tmp_path / "empty")
    write_animation(tmp_path / "mixed" / "1.gif", levels(6, 8, 8, 1))
    pillow(levels(8, 8, 1)).save(tmp_path / "mixed" / "2.png")
    with pytest.raises(DataError, match="2.png, which has one"):
        kg.data.load_clips(tmp_path / "mixed")
    with pytest.raises(DataError, match="1.gif, an animation"):
        kg.data.read_clip(tmp_path / "mixed")


def test_the_still_image_of_an_animated_png_is_no_frame(tmp_path):
    """Programs that do not know animated PNGs show it; it may look like none of the frames."""
    clip = levels(5, 8, 8, 1)
    still, *others = map(pillow, np.concatenate([255 - clip[:1], clip]))
    still.save(tmp_path / "a.png", save_all=True, append_images=others, default_image=True)
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path / "a.png"), clip)
    still.save(tmp_path / "one.png", save_all=True, append_images=others[:1], default_image=True)
    with pytest.raises(DataError, match="one.png, which has one"):
        kg.data.read_clip(tmp_path / "one.png")


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
def test_frames_that_hold_the_changed_part_alone_are_whole(ending, tmp_path):
    clip = np.full((6, 16, 16, 3), 40, "uint8")
    for i in range(1, 6):
        clip[i] = clip[i - 1]
        clip[i, 2 * i : 2 * i + 3, i : i + 4] = (250, 40 * i, 10)
    first, *others = map(pillow, clip)
    options = {"lossless": True} if ending == "webp" else {}
    first.save(tmp_path / f"a.{ending}", save_all=True, append_images=others, **options)
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path / f"a.{ending}"), clip)


def test_transparent_areas_of_an_animation_become_white(tmp_path):
    frames = np.zeros((4, 8, 8, 4), "uint8")
    for i in range(4):
        frames[i, i : i + 3, 2:5] = (200, 0, 0, 255)
    first, *others = map(Image.fromarray, frames)
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, disposal=2)
    expected = np.where(frames[..., 3:] > 0, frames[..., :3], 255)
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path / "a.gif"), expected)


def test_a_cameras_jpeg_with_a_preview_is_one_frame(tmp_path):
    for i, level in enumerate((20, 120, 220)):
        photo = Image.fromarray(np.full((16, 16), level, "uint8"))
        photo.save(tmp_path / f"{i}.jpg", "MPO", save_all=True, append_images=[photo.resize((8, 8))])
    read = kg.data.read_clip(tmp_path)
    assert read.shape == (3, 16, 16, 1)
    assert np.abs(read[:, 0, 0, 0].astype(int) - (20, 120, 220)).max() <= 2
    assert kg.data.load_clips(tmp_path, context=2, batch_size=1).count == 1
    with pytest.raises(DataError, match="0.jpg, which has one"):
        kg.data.read_clip(tmp_path / "0.jpg")


def test_two_frames_of_one_name_are_refused(tmp_path):
    write_frames(tmp_path, levels(6, 8, 8, 1))
    pillow(levels(8, 8, 1)).save(tmp_path / "3.bmp")
    for read in (kg.data.read_clip, kg.data.load_clips):
        with pytest.raises(DataError, match="one image of each name in .* Received: 3.bmp and 3.png. Rename"):
            read(tmp_path)


def test_names_may_have_digits_that_are_no_numbers(tmp_path):
    clip = levels(3, 8, 8, 1)
    for name, frame in zip(("²2", "²3", "²10"), clip):
        pillow(frame).save(tmp_path / f"{name}.png")
    np.testing.assert_array_equal(kg.data.read_clip(tmp_path), clip)


@pytest.mark.parametrize("ending", ["gif", "png", "webp"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_an_animation_that_was_cut_off_is_refused(share, ending, tmp_path):
    write_animation(tmp_path / f"a.{ending}", levels(6, 32, 32, 1))
    content = (tmp_path / f"a.{ending}").read_bytes()
    (tmp_path / f"a.{ending}").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=f"a.{ending} to be an image or an animation"):
        kg.data.read_clip(tmp_path / f"a.{ending}")


def test_clips_beside_splits_are_refused(tmp_path):
    for name in ("train/a", "val/a", "test/a"):
        write_frames(tmp_path / name, levels(6, 8, 8, 1))
    assert kg.data.load_clips(tmp_path, split="val", batch_size=1).count == 1
    write_frames(tmp_path / "more", levels(6, 8, 8, 1))
    write_animation(tmp_path / "b.gif", levels(6, 8, 8, 1))
    with pytest.raises(DataError, match="splits alone in .* Received: more, b.gif beside train or test"):
        kg.data.load_clips(tmp_path, batch_size=1)


def test_folders_beside_a_clips_frames_are_left_out_with_a_warning(tmp_path):
    clip = levels(6, 8, 8, 1)
    write_frames(tmp_path / "a", clip)
    write_frames(tmp_path / "a" / "masks", 255 - clip)
    with pytest.warns(UserWarning, match="Left out folders in .*a, beside a clip's frames: masks"):
        np.testing.assert_array_equal(kg.data.read_clip(tmp_path / "a"), clip)
    with pytest.raises(DataError, match="Received: none. Give one of its folders"):
        kg.data.read_clip(tmp_path)


def test_examples_that_do_not_fit_into_memory_beside_the_clips_are_refused(monkeypatch):
    clips = levels(4, 6, 8, 8, 1)
    monkeypatch.setattr(memory, "free_memory", lambda: clips.nbytes)
    assert kg.data.load_clips(clips, batch_size=1).count == 4
    monkeypatch.setattr(memory, "free_memory", lambda: clips.nbytes - 1)
    with pytest.raises(DataError, match="fit into memory beside the clips. Received: 4 of 6x8x8x1, which take"):
        kg.data.load_clips(clips, batch_size=1)
    assert kg.data.load_clips(clips[:1], batch_size=1).count == 1  # cut without a copy


def test_a_short_animation_is_refused(tmp_path):
    write_animation(tmp_path / "a.gif", levels(3, 8, 8, 1))
    with pytest.raises(DataError, match="5 frames or more"):
        kg.data.load_clips(tmp_path / "a.gif", batch_size=1)


def test_too_little_memory_is_not_a_damaged_file(tmp_path, monkeypatch):
    frames = [Image.new("L", (4, 4), shade) for shade in (10, 20, 30)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])

    def full(*arguments):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "copy", full)
    with pytest.raises(MemoryError):
        kg.data.read_clip(tmp_path / "clip.gif")


def test_a_clip_that_does_not_fit_into_memory_is_refused_with_what_helps(tmp_path, monkeypatch):
    frames = [Image.new("L", (4, 4), shade) for shade in (10, 20, 30)]
    frames[0].save(tmp_path / "clip.gif", save_all=True, append_images=frames[1:])
    monkeypatch.setattr(memory, "free_memory", lambda: 100)
    with pytest.raises(DataError, match="3 of 4x4x3, which take 144 bytes.*cut the clip into shorter ones"):
        kg.data.read_clip(tmp_path / "clip.gif")

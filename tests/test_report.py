"""The page about a run: what the numbers are, drawn where they belong, and nothing from outside."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pytest
from light_runs import At, a_gan, light, run  # noqa: F401
from PIL import Image

import keras_gans as kg
from keras_gans.errors import DivergenceError
from keras_gans_cli.app import app, main
from keras_gans_cli.report import curves
from keras_gans_cli.report import page as report_page
from keras_gans_core import cards, runs

VOID = {"meta", "input", "img", "br", "hr", "link"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = "</title></script><script src=https://evil.example/x.js>alert(1)</script>\x1b[2J\ud800"


class Page(HTMLParser):
    """A page's elements as (tag, attributes), and its text by the tag that it stands in."""

    def __init__(self, file):
        super().__init__()
        self.elements, self.open, self.texts = [], [], []
        self.feed(file.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else None, data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, *tags):
        return [data for tag, data in self.texts if tag in tags and data.strip()]


def make_run(folder, history=(), *, finished=False, grids=(), **entries):
    """The folder of a run with the files that a page reads."""
    (folder / "samples").mkdir(parents=True)
    progress = {"finished": finished, "seed": 0, "data": "", "batch_size": 4, "wall_seconds": 61.0}
    progress |= {"history": list(history), "phases": [{"title": "", "epochs": 25}], **entries}
    (folder / "progress.json").write_text(json.dumps(progress))
    for epoch in grids:
        Image.new("L", (16, 8), epoch).save(folder / "samples" / f"epoch_{epoch:04d}.png")
    return folder


def page_of(*folders, output):
    app(["report", *map(str, folders), "-o", str(output)], standalone_mode=False)
    return Page(output)


def drawn(page):
    """The paths of the curves in a page's charts."""
    return [about["d"] for about in page.all("path") if about["d"].endswith(tuple("0123456789")) and "L" in about["d"]]


# Curves


def test_a_point_is_drawn_where_its_numbers_say():
    axes = curves.axes([[(1, 0.0), (2, 1.0), (3, 2.0)]], epochs=3)
    assert axes == curves.Axes(1, 3, (0.0, 0.5, 1.0, 1.5, 2.0))
    # From 64 to 460 - 12 along, from 220 - 26 up to 10.
    assert [axes.place(*point) for point in ((1, 0.0), (2, 1.0), (3, 2.0))] == [(64, 194), (256, 102), (448, 10)]
    made = curves.chart({"loss": [(1, 0.0), (2, 1.0), (3, 2.0)]}, axes, "Loss")
    assert 'd="M64.00 194.00h0L256.00 102.00L448.00 10.00"' in made
    assert '<circle cx="256.00" cy="102.00" r="2.5"><title>epoch 2: loss 1</title></circle>' in made
    along = re.findall(r'class="along" x="([\d.]+)" y="212">(\d+)<', made)
    assert along == [("64.00", "1"), ("256.00", "2"), ("448.00", "3")]
    assert re.findall(r'y="([\d.]+)">([\d.]+)<', made)[:5] == [
        ("198.00", "0"), ("152.00", "0.5"), ("106.00", "1"), ("60.00", "1.5"), ("14.00", "2")
    ]  # fmt: skip


def test_an_epoch_without_a_number_is_a_gap():
    axes = curves.Axes(1, 5, (0.0, 1.0))
    made = curves.chart({"loss": [(1, 0.0), (2, None), (3, 1.0), (4, 0.0), (5, None)]}, axes, "Loss")
    assert re.search(' d="(M64[^"]*)"/><circle', made)[1] == "M64.00 194.00h0M256.00 10.00h0L352.00 194.00"


@pytest.mark.parametrize(
    "values, low, high",
    [
        ([0.13, 0.77], 0.0, 0.8),
        ([-3.2, 1234567.0], -500000.0, 1500000.0),
        ([2.0, 2.0], 1.0, 3.0),
        ([0.0], -1.0, 1.0),
        ([-4.0], -6.0, -2.0),
        ([1e-7, 3e-7], 1e-7, 3e-7),
        ([-9e99, 9e99], -1e100, 1e100),
        ([1.0, 1.0 + 1e-15], 0.4, 1.6),
        ([0.19, 1.01], 0.0, 1.2),
        ([0.0, 1e-323], -1.0, 1.0),
        ([5e-324], -1.0, 1.0),
    ],
)
def test_axes_end_at_round_numbers_around_all_values(values, low, high):
    axes = curves.axes([[(i + 1, value) for i, value in enumerate(values)]], epochs=len(values))
    assert (axes.values[0], axes.values[-1]) == pytest.approx((low, high), rel=1e-12)
    assert all(10 - 1e-9 <= axes.place(1, value)[1] <= 194 + 1e-9 for value in values)
    lines = re.findall(r'class="line" d="M64 ([-\d.]+)H', curves.chart({}, axes, "Loss"))
    assert (lines[0], lines[-1]) == ("194.00", "10.00") and 3 <= len(lines) <= 7


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300, None, "1", True, [1], {}])
def test_what_is_no_number_is_not_drawn(value, tmp_path):
    folder = make_run(tmp_path / "run", [{"d_loss": value}])
    assert "No finite numbers." in page_of(folder, output=tmp_path / "page.html").text("p")
    assert not curves.is_drawn(value)


def test_two_runs_have_the_same_axes(tmp_path):
    one = make_run(tmp_path / "one", [{"d_loss": 1.0}, {"d_loss": 0.0}])
    other = make_run(tmp_path / "other", [{"d_loss": 1.0}, {"d_loss": 4.0}, {"d_loss": 2.0}])
    page = page_of(one, other, output=tmp_path / "page.html")
    assert drawn(page) == ["M64.00 148.00h0L256.00 194.00", "M64.00 148.00h0L256.00 10.00L448.00 102.00"]
    assert page.text("figcaption")[2:] == ["one", "other"] and page.text("title")[0] == "one and other"
    alone = page_of(one, output=tmp_path / "alone.html")
    assert drawn(alone) == ["M64.00 10.00h0L448.00 194.00"]


def test_a_run_without_a_log_that_the_other_has_says_so(tmp_path):
    one = make_run(tmp_path / "one", [{"d_loss": 1.0, "fid": 3.0}])
    other = make_run(tmp_path / "other", [{"d_loss": 1.0}])
    page = page_of(one, other, output=tmp_path / "page.html")
    assert page.text("figcaption")[2:] == ["one", "other", "one", "other: no numbers"]


def test_losses_share_a_chart_and_other_numbers_have_their_own(tmp_path):
    logs = {"d_loss": 1.0, "g_loss": 2.0, "val_d_loss": 3.0, "gp": 4.0, "doctor/diversity": 0.5}
    page = page_of(make_run(tmp_path / "run", [logs, logs]), output=tmp_path / "page.html")
    assert page.text("h3") == ["Losses", "Losses of the validation data", "gp", "doctor/diversity"]
    assert page.text("li") == ["d_loss", "g_loss", "val_d_loss"]


def test_a_long_run_is_thinned_out_and_says_so(tmp_path):
    history = [{"d_loss": float(i)} for i in range(2500)]
    page = page_of(make_run(tmp_path / "run", history), output=tmp_path / "page.html")
    assert "The curves show one of 3 epochs, and the last one." in page.text("p")
    (path,) = drawn(page)
    assert path.count("L") == 833
    x, y = map(float, path.split("L")[-1].split())  # 2499 in epoch 2500, on axes from 1 to 2500 and 0 to 2500
    assert x == 448.0 and y == pytest.approx(10 + 184 / 2500, abs=0.01)
    assert (tmp_path / "page.html").stat().st_size < 100_000


def test_a_long_run_keeps_what_is_logged_rarely(tmp_path):
    history = [{"d_loss": 1.0, **({"fid": float(i)} if i % 100 == 0 else {})} for i in range(1501)]
    page = page_of(make_run(tmp_path / "run", history), output=tmp_path / "page.html")
    (dots,) = [about["d"] for about in page.all("path") if about["d"].count("M") > 1]
    assert dots.count("M") == 16 and dots.startswith("M64.00 194.00h0") and "No finite numbers." not in page.text("p")


# Safety


def test_a_page_loads_nothing_and_escapes_what_files_say(tmp_path):
    verdict = {"name": NASTY, "epoch": 1, "until": None, "evidence": {NASTY: 0.1}, "remedy": NASTY}
    about = {"title": NASTY, NASTY: {NASTY: [NASTY]}, "training": {"device": NASTY, "packages": {NASTY: NASTY}}}
    logs = {NASTY: 1.0, "d_loss": NASTY}
    entries = {"verdicts": [verdict], "about": about}
    one = make_run(tmp_path / "a<b>&'\"", [logs, logs], grids=[1, 2], **entries)
    other = make_run(tmp_path / "other", [logs], grids=[1], **entries)
    for folders in ([one], [one, other]):
        page = page_of(*folders, output=tmp_path / "page.html")
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"link", "iframe", "object", "embed", "base", "video", "audio", "form", "a", "image", "use"}
        attributes = {(tag, name) for tag, about in page.elements for name in about}
        assert not any(name.startswith("on") or name in ("href", "srcset", "action", "style") for _, name in attributes)
        assert all(about["src"].startswith("data:image/png;base64,") for _, about in page.elements if "src" in about)
        assert len(page.all("script")) == 1 and page.all("script") == [{}] and len(page.all("style")) == 1
        for code in page.text("script", "style"):
            assert not re.search(r"//\w|https?:|url\(|@import|fetch|XMLHttp|import\s*\(", code)
        shown = "".join(data for _, data in page.texts)
        assert shown.count("alert(1)") >= 8 and "\x1b" not in shown and "\\x1b[2J\\ud800" in shown
        (policy,) = [about["content"] for about in page.all("meta") if "http-equiv" in about]
        assert policy.startswith("default-src 'none'; img-src data:;")


def test_the_page_stays_small_and_says_what_is_left_out(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    folder = make_run(tmp_path / "run", [{"d_loss": 1.0}] * 10)
    for epoch in range(1, 11):
        noise = random.integers(0, 256, (32, 32, 3)).astype("uint8")
        Image.fromarray(noise).save(folder / "samples" / f"epoch_{epoch:04d}.png")
    size = (folder / "samples" / "epoch_0001.png").stat().st_size
    for room, kept, said in (
        (11 * size, range(1, 11), []),
        (5.5 * size, [2, 4, 6, 8, 10], ["5 of 10 grids are left out, to keep the page small."]),
        (3.5 * size, [2, 6, 10], ["7 of 10 grids are left out, to keep the page small."]),
        (size / 2, [], ["10 of 10 grids are left out, to keep the page small."]),
    ):
        monkeypatch.setattr(report_page, "PICTURES", int(room))
        page = page_of(folder, output=tmp_path / "page.html")
        assert [int(about["data-epoch"]) for about in page.all("img")] == list(kept)
        assert [text for text in page.text("p") if "left out" in text] == said
        assert (tmp_path / "page.html").stat().st_size < room * 4 / 3 + 20_000


# Samples


def test_the_last_grid_is_shown_first_and_the_others_are_hidden(tmp_path):
    folder = make_run(tmp_path / "run", [{"d_loss": 1.0}] * 3, grids=[1, 2, 3, 4])
    (folder / "samples" / "epoch_0002.png").write_bytes(b"no picture")
    page = page_of(folder, output=tmp_path / "page.html")
    assert [(about["data-epoch"], "hidden" in about) for about in page.all("img")] == [("1", True), ("3", False)]
    assert page.all("img")[1]["alt"] == "Samples of run after epoch 3" and page.all("img")[0]["width"] == "448"
    assert "1 of 3 grids cannot be read." in page.text("p")  # and the fourth is of a run that was overwritten
    assert page.text("figcaption") == ["run, epoch 3"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_slider_shows_each_runs_newest_grid_up_to_an_epoch(tmp_path):
    one = make_run(tmp_path / "one", [{"d_loss": 1.0}] * 3, grids=[1, 2, 3])
    other = make_run(tmp_path / "other", [{"d_loss": 1.0}] * 2, grids=[2])
    file = tmp_path / "page.html"
    page_of(one, other, output=file)
    for place, wanted in ((None, {"one": 3, "other": 2}), (1, {"one": 2, "other": 2}), (0, {"one": 1, "other": 2})):
        moved = "" if place is None else f"slider.value = {place}; slider.dispatchEvent(new Event('input'));"
        (tmp_path / "moved.html").write_text(file.read_text().replace("</script>", f"{moved}</script>"))
        browser = [CHROMIUM, "--headless", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
        done = subprocess.run([*browser, tmp_path / "moved.html"], capture_output=True, text=True, timeout=120)
        (tmp_path / "dom.html").write_text(done.stdout)
        page = Page(tmp_path / "dom.html")
        assert [text for text in page.text("figcaption") if "epoch" in text] == [
            f"{name}, epoch {epoch}" for name, epoch in wanted.items()
        ]
        visible = [about["alt"] for about in page.all("img") if "hidden" not in about]
        assert visible == [f"Samples of {name} after epoch {epoch}" for name, epoch in wanted.items()]
        (slider,) = page.all("input")
        assert slider["max"] == "2" and slider["aria-valuetext"] == f"epoch {[1, 2, 3][2 if place is None else place]}"


# Runs in each state


def test_a_run_that_has_only_begun(tmp_path):
    about = {
        "title": "Digits",
        "variant": "CGAN",
        "training": {"seed": 0, "device": "a CPU", "dtype_policy": "float32"},
    }
    folder = make_run(tmp_path / "run", wall_seconds=0.0, about=about, grids=[1])  # of a run that was overwritten
    page = page_of(folder, output=tmp_path / "page.html")
    assert page.all("img") == [] and "run: no grid to show" in page.text("figcaption")
    assert page.text("p").count("No epoch is finished yet.") == 2  # of the curves and of the doctor
    cells = dict(zip(page.text("th"), page.text("td")))
    assert cells["state"] == "not finished" and cells["epochs"] == "0 of 25" and cells["time"] == "0 min 0 s"
    assert cells["seed"] == "0" and cells["device"] == "a CPU" and cells["dtype policy"] == "float32"


def test_a_run_without_its_progress_has_its_card(tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(cards.find("cgan_digits"), folder)
    page = page_of(folder, output=tmp_path / "page.html")
    card = json.loads((folder / "card.json").read_text())
    cells = dict(zip(page.text("th"), page.text("td")))
    assert cells["state"] == "finished" and cells["epochs"] == "16" and cells["title"] == card["title"]
    assert cells["sha256"] == card["sha256"] and cells["packages: keras"] == card["training"]["packages"]["keras"]
    assert cells["time"] == report_page._duration(card["training"]["wall_seconds"])
    assert cells["d_loss, last epoch"] == f"{card['training']['final_losses']['d_loss']:.4g}"
    assert page.text("p").count(report_page.NO_LOGS) == 2  # of the curves and of the doctor


@pytest.mark.parametrize(
    "damage", ['{"finished": fal', "[]", '{"history": 3}', '{"x": ' + "[" * 40 + "]" * 40 + "}", None]
)
def test_a_run_with_a_damaged_progress_file_shows_its_grids(damage, tmp_path):
    folder = make_run(tmp_path / "run", grids=[1, 2])
    if damage is None:
        (folder / "progress.json").unlink()
        os.mkfifo(folder / "progress.json")  # which nobody writes to
    else:
        (folder / "progress.json").write_text(damage)
    page = page_of(folder, output=tmp_path / "page.html")
    assert len(page.all("img")) == 2 and report_page.NO_LOGS in page.text("p")
    assert dict(zip(page.text("th"), page.text("td")))["epochs"] == "not known"


def test_a_run_that_ends_while_it_is_read_is_shown_as_it_was(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run", [{"d_loss": 1.0}])
    open_file = cards.open_file

    def end_after_opening(path, largest):
        file = open_file(path, largest)
        made = make_run(tmp_path / "later", [{"d_loss": 1.0}, {"d_loss": 2.0}], finished=True)
        os.replace(made / "progress.json", path)
        return file

    monkeypatch.setattr(cards, "open_file", end_after_opening)
    found = runs.read_run(folder)
    assert (found.finished, found.epochs) == (False, 1)


def test_the_phases_of_a_run_can_be_read(tmp_path):
    phases = [{"title": "", "epochs": 2}, {"title": "larger", "epochs": 3}]
    folder = make_run(tmp_path / "run", [{"d_loss": 1.0}], phases=phases, about={"training": {"phases": phases}})
    page = page_of(folder, output=tmp_path / "page.html")
    cells = dict(zip(page.text("th"), page.text("td")))
    assert cells["phases"] == "epochs 2; title larger, epochs 3" and cells["epochs"] == "1 of 5"


def test_settings_that_differ_are_marked(tmp_path):
    abouts = [{"training": {"seed": seed, "batch_size": 64, **more}} for seed, more in ((0, {}), (1, {"steps": 3}))]
    folders = [make_run(tmp_path / str(i), about=about) for i, about in enumerate(abouts)]
    page_of(*folders, output=tmp_path / "page.html")
    marked = re.findall(r'<tr class="marked"><th scope="row">([^<]*)', (tmp_path / "page.html").read_text())
    assert marked == ["seed"]


@pytest.mark.parametrize("verdicts", [3, [3], [{"name": "x"}], [{"name": "x", "epoch": "1"}]])
def test_verdicts_that_are_none_are_left_out(verdicts, tmp_path):
    folder = make_run(tmp_path / "run", [{"doctor/finite": 1.0}], verdicts=verdicts, about=[1])
    page = page_of(folder, output=tmp_path / "page.html")
    assert "The verdicts are not known, only the signals." in page.text("p")
    assert page.text("p")[-2:] == ["Not known.", "Not known."]


def test_who_has_no_doctor_is_told_how_to_get_one(tmp_path):
    page = page_of(make_run(tmp_path / "run", [{"d_loss": 1.0}]), output=tmp_path / "page.html")
    assert any(text.startswith("No doctor watched this run.") for text in page.text("p"))


@pytest.mark.parametrize(
    "kind, message",
    [
        ("missing", "Expected the folder of a run, with progress.json or card.json. Received: .*missing"),
        ("empty", "Name the folder that `keras-gans train` writes to"),
        ("file", "Expected the folder of a run"),
        ("broken card", "Expected a card in"),
        ("output", "Choose a folder that can be written to|Cannot write"),
    ],
)
def test_a_folder_that_is_no_run_ends_with_code_2(kind, message, tmp_path, monkeypatch, capsys):
    output, folder = tmp_path / "page.html", tmp_path / kind
    if kind == "empty":
        folder.mkdir()
    elif kind == "file":
        folder.write_text("")
    elif kind == "broken card":
        make_run(folder, finished=True)
        (folder / "card.json").write_text("{")
    elif kind == "output":
        make_run(folder)
        (tmp_path / "taken").write_text("")
        output = tmp_path / "taken" / "page.html"
    monkeypatch.setattr(sys, "argv", ["keras-gans", "report", str(folder), "-o", str(output)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2 and re.search(message, said.err) and said.out == "" and not os.path.exists(output)


def test_the_command_needs_no_keras(tmp_path):
    folder = make_run(tmp_path / "run", [{"d_loss": 1.0}], grids=[1])
    code = (
        "import sys; from keras_gans_cli.app import app; app(sys.argv[1:], standalone_mode=False);"
        "heavy = {'keras', 'tensorflow', 'keras_gans'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "report", folder, "-o", tmp_path / "page.html"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"wrote {tmp_path / 'page.html'}\n"), done.stderr


# What a training leaves for the page


class Diverging(keras.callbacks.Callback):
    """Ends the second epoch with a loss of NaN."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            logs["d_loss"] = float("nan")


@pytest.mark.usefixtures("light")
def test_a_run_that_the_doctor_ended_keeps_its_verdict_and_its_last_losses(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1)).astype("uint8")
    callbacks = [Diverging(), kg.callbacks.GANDoctor(images, stop=True)]
    with pytest.raises(DivergenceError):
        run(tmp_path / "run", a_gan(callbacks=callbacks, epochs=5))
    page = page_of(tmp_path / "run", output=tmp_path / "page.html")
    assert page.text("h4") == ["divergence, epoch 2 to the end"]
    cells = dict(zip(page.text("th"), page.text("td")))  # without the recipe's texts, which are empty
    assert cells["epochs"] == "2 of 5" and cells["d_loss, last epoch"] == "nan" and "title" not in cells
    run(tmp_path / "run", a_gan(epochs=5), resume_from=tmp_path / "run")
    history = runs.read_progress(tmp_path / "run")[0]["history"]
    assert len(history) == 5 and np.isfinite([logs["d_loss"] for logs in history]).all()


def with_another_optimizer(model):
    model.compile(keras.optimizers.SGD(0.02), keras.optimizers.SGD(0.02), run_eagerly=True)
    return model


@pytest.mark.usefixtures("light")
def test_the_settings_of_an_unfinished_run_are_those_of_its_phase(tmp_path):
    def recipe(smoke=False):
        made = a_gan(2, callbacks=[At(6)])(smoke)
        made.phases[1] = dataclasses.replace(made.phases[1], prepare=with_another_optimizer)
        return made

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", recipe)
    training = runs.read_run(tmp_path / "run").card["training"]
    assert [phase["epochs"] for phase in training["phases"]] == [2, 2]
    assert training["g_optimizer"]["learning_rate"] == pytest.approx(0.02)


class Doctor(kg.callbacks.GANDoctor):
    """Sees the same in each epoch as written here."""

    seen = {1: 0.5, 2: 0.1, 3: 0.1, 4: 0.5, 5: 0.1}

    def _examine(self, logs):
        return {"finite": 1.0, "diversity": self.seen[int(self.model.step) // 2]}


def a_watched_gan(*callbacks):
    def recipe(smoke=False):
        images = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1)).astype("uint8")
        return a_gan(callbacks=[Doctor(images, patience=1), *callbacks], epochs=5)(smoke)

    return recipe


@pytest.mark.usefixtures("light")
def test_a_run_keeps_the_verdicts_and_its_settings_also_when_it_goes_on(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", a_watched_gan(At(9)))
    parts = runs.read_run(tmp_path / "parts")
    wanted = {"name": "mode collapse", "epoch": 2, "evidence": {"diversity": 0.1}, "until": 4}
    assert [{key: verdict[key] for key in wanted} for verdict in parts.verdicts] == [wanted]
    assert not parts.finished and parts.epochs == 4 and parts.planned == 5
    assert parts.card["variant"] == "GAN" and parts.card["training"]["dtype_policy"] == "float32"
    assert not {"steps", "epochs", "final_losses", "wall_seconds"} & set(parts.card["training"])
    run(tmp_path / "parts", a_watched_gan(), resume_from=tmp_path / "parts")
    run(tmp_path / "whole", a_watched_gan())
    verdicts = [runs.read_progress(tmp_path / name)[0]["verdicts"] for name in ("parts", "whole")]
    assert verdicts[0] == verdicts[1] and [verdict["epoch"] for verdict in verdicts[0]] == [2, 5]
    (tmp_path / "whole" / "card.json").unlink()  # the light run's is none
    page = page_of(tmp_path / "whole", output=tmp_path / "page.html")
    assert page.text("h4") == ["mode collapse, epoch 2 to 4", "mode collapse, epoch 5 to the end"]
    assert ["diversity", "0.1"] == [text for text in page.text("th", "td") if text in ("diversity", "0.1")][:2]
    remedy = kg.callbacks.doctor.REMEDIES[kg.callbacks.Sickness.MODE_COLLAPSE]
    assert remedy in page.text("p")

"""The README.md of a preset: its front matter is YAML that says what the card says."""

import json
import math

import pytest

from keras_gans_core import cards, readme

yaml = pytest.importorskip("yaml", reason='comes with the extra "hf"')
BLANK = {"preset": "mine", "variant": "DCGAN", "sha256": "0", "size": 1, "image_shape": [8, 8, 1]}
NOISE, IMAGES = {"noise": "Noise"}, {"images": "Images"}


def parsed(card, handle=None):
    text = readme.readme(card, handle)
    assert text.startswith("---\n")
    front, page = text[4:].split("\n---\n", 1)
    return yaml.safe_load(front), page


@pytest.mark.parametrize("name", cards.presets())
def test_every_preset_of_the_zoo_has_its_page(name):
    card = cards.read_card(cards.find(name))
    assert (cards.find(name) / "README.md").read_text() == readme.readme(card)
    front, page = parsed(card)
    assert front == readme.front_matter(card)
    assert front["library_name"] == "keras" and front["license"] and front["pipeline_tag"]
    assert card["limits"] in page and card["not_good_for"] in page
    results = front.get("model-index", [{"results": [{"metrics": []}]}])[0]["results"][0]["metrics"]
    numbers = {
        key: one["value"] for key, one in card.get("metrics", {}).items() if type(one.get("value")) in (int, float)
    }
    assert {one["type"]: one["value"] for one in results} == numbers
    assert all(one["args"] for one in results)  # no number without its protocol


def test_the_hubs_own_parser_reads_the_numbers():
    hub = pytest.importorskip("huggingface_hub", reason='needs the extra "hf"')
    card = cards.read_card(cards.find("dcgan_mnist"))
    data = hub.ModelCard(readme.readme(card)).data
    assert data.license == "cc-by-sa-3.0" and data.datasets == ["mnist"]
    found = {one.metric_type: one for one in data.eval_results}
    assert found["frechet_distance"].metric_value == card["metrics"]["frechet_distance"]["value"]
    assert found["frechet_distance"].metric_args["features"].startswith("classifier_mnist")
    assert found["frechet_distance"].dataset_name == "mnist" and found["frechet_distance"].dataset_split == "test"


@pytest.mark.parametrize(
    ("takes", "makes", "tag"),
    [
        (NOISE, IMAGES, "unconditional-image-generation"),
        ({**NOISE, "labels": "Classes"}, IMAGES, "unconditional-image-generation"),
        ({"images": "Images"}, IMAGES, "image-to-image"),
        ({"maps": "LabelMaps", "noise": "Noise"}, IMAGES, "image-to-image"),
        ({"images": "Images"}, {"maps": "LabelMaps"}, "image-segmentation"),
        ({"prompts": "Prompts", "noise": "Noise"}, IMAGES, "text-to-image"),
        ({"clips": "Clips"}, {"frames": "Clips"}, "image-to-video"),
        (NOISE, {"tokens": "Tokens"}, "text-generation"),
    ],
)
def test_the_kind_of_the_fields_gives_the_tag(takes, makes, tag):
    assert parsed({**BLANK, "inputs": takes, "outputs": makes})[0]["pipeline_tag"] == tag


def test_a_card_without_more_has_a_page():
    front, page = parsed(BLANK, "hf://ada/mine")
    assert front == {"license": "unknown", "library_name": "keras", "tags": ["gan", "keras_gans"]}
    assert 'kg.load("hf://ada/mine")' in page


@pytest.mark.parametrize(
    ("given", "of_data", "shown"),
    [
        (None, "CC BY-SA 3.0", {"license": "cc-by-sa-3.0"}),
        ("mit", "CC BY-SA 3.0", {"license": "mit"}),
        ("GPL-3.0", None, {"license": "gpl-3.0"}),
        ("my own", "CC BY-SA 3.0", {"license": "other", "license_name": "my own"}),
        (None, "of the folder's owner", {"license": "other", "license_name": "of the folder's owner"}),
        (None, "public domain", {"license": "other", "license_name": "public domain"}),
        (None, None, {"license": "unknown"}),
    ],
)
def test_the_licence_is_the_cards_or_the_datas(given, of_data, shown):
    card = {**BLANK, **({"license": given} if given else {}), "dataset": {"license": of_data} if of_data else {}}
    front = parsed(card)[0]
    assert {key: front[key] for key in front if key.startswith("license")} == shown


TEXTS = [
    *("yes", "No", "null", "on", "None", "1e3", "1.0", "0x10", "2026-01-01", "=", "<<", "~", "", " "),
    *("- a", "a: b", "# no", "'", '"', "\\", "a\nb\t", "---", "---\nx: 1\n---", "%", "@", "`"),
    *("{a}", "[b]", "&a *b !c", "\u2028\u2029\x85", "字 🐈 \u202e"),
]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back(text):
    protocol = {"metric": text, "features": text, text or "empty": text, "list": [text, {"deeper": text}], "none": None}
    card = {
        **BLANK,
        "preset": text,
        "license": text,
        "evaluation": {"source": text, "split": text},
        "metrics": {"a": {"value": 1e-07, "protocol": protocol}, text: {"value": 3, "protocol": text}},
    }
    front = parsed(card)[0]
    assert front == json.loads(json.dumps(readme.front_matter(card)))
    assert front["model-index"][0]["name"] == text
    assert front["model-index"][0]["results"][0]["metrics"][0]["args"] == protocol


@pytest.mark.parametrize("value", [1e-07, 1e22, -2.5e-300, 0.1, 12345678.0, 3, -0.0])
def test_numbers_stay_numbers(value):
    metrics = {"a": {"value": value, "floor": value, "protocol": {"metric": "a"}}}
    found = parsed({**BLANK, "metrics": metrics})[0]["model-index"][0]["results"][0]["metrics"][0]
    assert found["value"] == found["args"]["floor"] == value and type(found["value"]) is type(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, None, True, "1", [1], {}])
def test_what_is_no_number_is_left_out_of_the_index(value):
    assert "model-index" not in parsed({**BLANK, "metrics": {"a": {"value": value, "protocol": {}}}})[0]


def test_other_entries_than_numbers_do_no_harm():
    card = {
        **BLANK,
        "metrics": {"a": 3, "b": {"value": 1}, "c": {"value": 2, "protocol": {"x": math.inf, "y": {}, "z": []}}},
    }
    found = parsed(card)[0]["model-index"][0]["results"][0]["metrics"]
    assert [one["args"] for one in found] == [{}, {"x": math.inf, "y": {}, "z": []}]


def test_a_users_own_data_are_no_data_set_of_a_hub():
    front, page = parsed({**BLANK, "dataset": {"name": "photos", "source": "folder"}, "training": {"commit": None}})
    assert "datasets" not in front and "\n\nphotos\n" in page and "\n\nAll settings are in card.json.\n" in page


@pytest.mark.parametrize(
    ("name", "shown"), [("mnist", ["mnist"]), ("my photos/2", ["my-photos-2"]), ("..", None), ("字", None)]
)
def test_data_sets_have_names_that_a_hub_takes(name, shown):
    assert parsed({**BLANK, "dataset": {"name": name}})[0].get("datasets") == shown

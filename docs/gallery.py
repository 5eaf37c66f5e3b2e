"""Draws docs/gallery/ and writes docs/gallery.md and docs/lectures.md: python docs/gallery.py [--check]

The pictures are made by commands, which stand beside them; --check compares the pages, and that no picture is missing.
"""

import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

from keras_gans_core import cards

DOCS = Path(__file__).parent
GALLERY = """# The gallery

Samples of every generator in the zoo, not selected, each with the command that made it. [zoo.md](zoo.md) has their
metrics. Below are other abilities of some models. Written by `python docs/gallery.py`.
"""
LECTURES = """# From lecture to command

One line per topic: the class, the command that trains it, and, if the zoo has weights, these and the command that
samples. [Below](#theory-and-techniques) are theory and techniques: their code, tests and pictures, which
[examples/theory](../examples/theory/README.md) shows. Written by `python docs/gallery.py`.

| topic | class | train | weights | sample |
|---|---|---|---|---|
| walks through latents | `kg.latent` | | | `keras-gans interpolate dcgan_avatars` |
| arithmetic on latents | `kg.latent` | | | `keras-gans arithmetic dcgan_avatars "3,5,8 - 1,2 + 4,9"` |
| directions | `kg.latent` | | | `keras-gans traverse dcgan_avatars --classifier classifier_avatars --attribute hat` |
| inversion of a given image | `kg.latent` | | | `keras-gans invert dcgan_mnist photo.png --resize` |
"""
# Topic, class in keras_gans, recipe in zoo/ or the name that `keras-gans train` takes.
TOPICS = [
    ("GAN (2014)", "GAN", "gan_mnist"),
    ("Deep convolutional GAN", "DCGAN", "dcgan_mnist"),
    ("the same, of drawn faces", "DCGAN", "dcgan_avatars"),
    ("Laplacian pyramid", "LAPGAN", "lapgan_avatars"),
    ("class-conditional Laplacian pyramid", "LAPGAN", "cc_lapgan_avatars"),
    ("Conditional GAN", "CGAN", "cgan_mnist"),
    ("the same, of drawn digits: a first training", "CGAN", "cgan_digits"),
    ("Auxiliary classifier GAN", "ACGAN", "acgan_avatars"),
    ("Projection discriminator", "ProjectionGAN", "projection_gan"),
    ("Generative recurrent adversarial network", "GRAN", "gran_mnist"),
    ("Improved techniques: feature matching, semi-supervised learning", "ImprovedGAN", "improved_gan_mnist"),
    ("f-GAN: any f-divergence", "FGAN", "f_gan_mnist"),
    ("Least squares GAN", "LSGAN", "lsgan_mnist"),
    ("Wasserstein GAN", "WGAN", "wgan_mnist"),
    ("Wasserstein GAN with gradient penalty", "WGANGP", "wgan_gp_mnist"),
    ("the same, of drawn faces", "WGANGP", "wgan_gp_avatars"),
    ("the same, of text", "WGANGPText", "wgan_gp_text_kjv"),
    ("Relativistic GANs: average and pairing", "RelativisticGAN", "relativistic_gan_mnist"),
    ("Progressive growing", "ProGAN", "progan_avatars"),
    ("Style-based generator: mapped latents, adaptive instance normalization", "StyleGAN", "stylegan_avatars"),
    ("A modern baseline: relativistic pairs with R1 and R2", "R3GAN", "r3gan_avatars"),
    ("Adversarial flow: the shortest map from noise to images", "AdversarialFlow", "adversarial_flow"),
    ("Styles: a mapped latent space and modulated convolutions", "StyleGAN2", "stylegan2_avatars"),
    ("DRAGAN", "DRAGAN", "dragan_mnist"),
    ("Spectral normalization", "SNGAN", "sngan_avatars"),
    ("Self-attention", "SAGAN", "sagan_avatars"),
    ("Large batches, truncated noise, orthogonal regularization", "BigGAN", "biggan_avatars"),
    ("Mode collapse: packed samples", "PacGAN", "pacgan_stacked_mnist"),
    ("Mode collapse: unrolled discriminator", "UnrolledGAN", "unrolled_gan"),
    ("Mode collapse: a reconstructor of latents", "VEEGAN", "veegan"),
    ("Adversarially learned inference", "ALI", "ali_mnist"),
    ("Bidirectional GAN", "BiGAN", "bi_gan"),
    ("Invertible conditional GAN: editing a given image", "IcGAN", "icgan_avatars"),
    ("Generative latent optimization", "GLO", "glo_avatars"),
    ("Coupled GANs: pairs from two domains", "CoGAN", "cogan_mnist_edges"),
    ("InfoGAN: codes that the images tell", "InfoGAN", "info_gan_mnist"),
    ("Image to image, from pairs: pix2pix", "Pix2Pix", "pix2pix_avatars"),
    ("the same, from images to label maps", "Pix2Pix", "pix2pix_avatars_maps"),
    ("Image to image, coarse to fine and in several styles: pix2pixHD", "Pix2PixHD", "pix2pix_hd_avatars"),
    ("Image to image, without pairs", "CycleGAN", "cycle_gan_emoji"),
    ("Inverting the features of a classifier", "DeePSiM", "deepsim_mnist"),
    ("Super-resolution, by the squared error", "SRGAN", "srresnet_photos"),
    ("Super-resolution, against a discriminator", "SRGAN", "srgan_photos"),
    ("Video prediction: moving digits", "VideoPredictionGAN", "video_digits"),
    ("the same, of windows that move over photographs", "VideoPredictionGAN", "video_photos"),
    ("Text to image", "StackGAN", "stack_gan_avatars"),
]
# Topics without a training of their own: code (names in `kg` or files), tests as file::test, picture. Paths are in the
# project. No picture is "" where it would say nothing.
THEORY = [
    (
        "optimal discriminator p / (p + q), and its value -log 4 + 2 JS",
        ["examples/theory/objectives.py", "kg.losses.minimax_discriminator_loss"],
        [
            "tests/test_losses.py::test_the_optimal_discriminator_is_the_density_ratio",
            "tests/examples/test_theory.py::test_the_value_at_the_best_discriminator_is_jensen_shannons",
        ],
        "docs/theory/objectives.png",
    ),
    (
        "the game on a line, from start to equilibrium",
        ["examples/theory/one_dimension.py"],
        ["tests/examples/test_theory.py::test_the_lines_generator_is_shown_on_the_noise_it_is_trained_on"],
        "docs/theory/one_dimension.gif",
    ),
    (
        "saturation of log(1 - D)",
        ["kg.losses.minimax_generator_loss", "kg.losses.non_saturating_generator_loss"],
        ["tests/test_losses.py::test_the_saturating_loss_saturates_and_the_other_does_not"],
        "docs/theory/objectives.png",
    ),
    (
        "Kullback-Leibler, Jensen-Shannon and lambda divergences",
        ["examples/theory/divergences.py", "kg.losses.WeightedJensenShannon"],
        ["tests/examples/test_theory.py::test_the_lambda_divergence_ends_in_both_kullback_leiblers"],
        "docs/theory/divergences.png",
    ),
    (
        "which divergence covers, which seeks modes",
        ["examples/theory/mode_seeking.py"],
        ["tests/examples/test_theory.py::test_who_covers_and_who_seeks"],
        "docs/theory/mode_seeking.png",
    ),
    (
        "earth mover's distance and parallel lines",
        ["examples/theory/divergences.py", "kg.losses.wasserstein_discriminator_loss"],
        [
            "tests/examples/test_theory.py::test_parallel_lines",
            "tests/test_losses.py::test_parallel_lines_are_theta_apart",
        ],
        "docs/theory/divergences.png",
    ),
    (
        "maximum likelihood blurs: an autoencoder beside a GAN",
        ["examples/theory/blurry_likelihood.py"],
        ["tests/examples/test_theory.py::test_the_squared_error_makes_greyer_digits_than_the_data"],
        "docs/theory/blurry_likelihood.png",
    ),
    (
        "blurry predictions: one input, two possible outputs",
        ["examples/theory/mode_averaging.py", "examples/video.py", "kg.losses.gradient_difference_loss"],
        [
            "tests/models/test_video_prediction_gan.py::test_a_blurred_edge_by_hand",
            "tests/examples/test_theory.py::test_an_adversarial_loss_picks_a_target_where_the_squared_error_averages",
        ],
        "docs/theory/mode_averaging.png",
    ),
    (
        "optimal transport: of all maps from noise to data the shortest",
        ["examples/theory/shortest_map.py", "kg.AdversarialFlow"],
        ["tests/examples/test_theory.py::test_the_transport_term_keeps_the_order_of_the_latents"],
        "docs/theory/shortest_map.png",
    ),
    (
        "rock-paper-scissors",
        ["examples/theory/games.py"],
        ["tests/examples/test_theory.py::test_rock_paper_scissors_is_played_in_circles_around_its_average"],
        "docs/theory/games.png",
    ),
    (
        "convergence and Lyapunov functions (Dirac-GAN)",
        ["examples/theory/dirac_gan.py", "kg.penalties.r1_penalty"],
        [
            "tests/examples/test_theory.py::test_the_lyapunov_function_of_the_game",
            "tests/examples/test_theory.py::test_eigenvalues",
        ],
        "docs/theory/dirac_gan.png",
    ),
    (
        "mode collapse, counted",
        ["kg.metrics.mode_coverage", "kg.metrics.class_coverage", "examples/theory/ali_mixture.py"],
        ["tests/metrics/test_modes.py::test_points_at_one_mode"],
        "docs/theory/ali_mixture.png",
    ),
    (
        "minibatch discrimination",
        ["kg.layers.MinibatchDiscrimination"],
        ["tests/layers/test_minibatch_discrimination.py::test_it_is_the_formula"],
        "docs/theory/objectives.png",
    ),
    (
        "historical averaging",
        ["kg.callbacks.HistoricalAveraging", "examples/theory/games.py"],
        [
            "tests/callbacks/test_historical_averaging.py::test_the_step_by_hand",
            "tests/examples/test_theory.py::test_historical_averaging_decays_as_derived",
        ],
        "docs/theory/games.png",
    ),
    (
        "one-sided label smoothing",
        ["kg.callbacks.LabelSmoothing"],
        [
            "tests/test_losses.py::test_the_real_target_smooths_one_side",
            "tests/examples/test_theory.py::test_smoothing_the_fake_side_rewards_the_generator_where_no_data_is",
        ],
        "docs/theory/objectives.png",
    ),
    (
        "virtual batch normalization",
        ["kg.layers.VirtualBatchNormalization", "kg.layers.ReferenceBatch"],
        ["tests/layers/test_virtual_batch_normalization.py::test_an_example_does_not_depend_on_the_others"],
        "",
    ),
    (
        "feature matching by the generator",
        ["kg.losses.feature_matching_loss", "kg.ImprovedGAN"],
        ["tests/test_semi_supervised.py::test_feature_matching_compares_means_of_batches"],
        "docs/gallery/improved_gan_mnist.png",
    ),
    (
        "feature matching as a game that the discriminator plays too",
        ["kg.losses.feature_matching_discriminator_loss"],
        ["tests/test_semi_supervised.py::test_the_game_on_features_by_hand"],
        "",
    ),
    (
        "generalisation of the discriminator: sample size and memorisation",
        ["examples/theory/generalization.py", "kg.metrics.memorization"],
        ["tests/examples/test_theory.py::test_few_images_are_learned_by_heart_and_many_are_not"],
        "docs/theory/generalization.png",
    ),
    (
        "few images: augmentation whose probability follows the discriminator's overfitting",
        ["kg.augment.AdaptiveAugment", "kg.callbacks.AdaptAugmentation"],
        [
            "tests/callbacks/test_adapt_augmentation.py::test_p_rises_above_the_target_and_falls_below_it",
            "tests/test_adaptive_augment.py::test_p_is_the_share_of_images_that_change",
        ],
        "",
    ),
    (
        "importance and rejection sampling by the discriminator's density ratio",
        ["examples/theory/importance_sampling.py"],
        [
            "tests/examples/test_theory.py::test_a_discriminator_brings_samples_nearer_to_the_data",
            "tests/examples/test_theory.py::test_the_weights_of_the_true_ratio_turn_one_law_into_the_other",
        ],
        "docs/theory/importance_sampling.png",
    ),
    (
        "arithmetic on latents",
        ["kg.latent.add", "kg.latent.evaluate"],
        ["tests/latent/test_arithmetic.py::test_an_expression_is_the_sum_of_the_means_of_its_seeds"],
        "docs/gallery/sum.png",
    ),
    (
        "inpainting: missing pixels from the image that fits the others",
        ["examples/inversion.py", "kg.latent.inpaint"],
        [
            "tests/latent/test_inversion.py::test_a_hole_is_filled_as_the_model_made_it",
            "tests/latent/test_inversion.py::test_pixels_that_are_missing_have_no_influence",
        ],
        "docs/gallery/inversion.png",
    ),
    (
        "anomalies: what a generator cannot make",
        ["examples/inversion.py", "kg.latent.invert"],
        ["tests/examples/test_inversion.py::test_the_area_under_the_curve"],
        "docs/gallery/inversion.png",
    ),
    (
        "generated images as more training data for a classifier",
        ["examples/augmentation.py"],
        ["tests/examples/test_augmentation.py::test_four_classifiers_are_compared"],
        "",
    ),
    (
        "structured latents: a mixture as the prior, and discrete codes",
        ["examples/theory/structured_prior.py"],
        ["tests/examples/test_theory.py::test_the_mixtures_prior_is_one_of_eight_codes"],
        "docs/theory/structured_prior.png",
    ),
    (
        "structured latents: categories and numbers that the images tell",
        ["kg.InfoGAN"],
        ["tests/models/test_info_gan.py::test_it_finds_the_kinds_of_images_without_labels"],
        "docs/gallery/categories.png",
    ),
    (
        "structured latents: an image and noise at each scale",
        ["kg.LAPGAN"],
        ["tests/models/test_lapgan.py::test_residuals_over_the_doubled_coarse_images_are_the_images"],
        "docs/gallery/scales.png",
    ),
    (
        "ethics: misuse, and what a model is not for",
        ["docs/misuse.md", "kg.metrics.memorization"],
        ["tests/test_zoo.py::test_a_card_says_what_the_model_is_not_for"],
        "",
    ),
]
OUTSIDE = """
## Outside

Of the decks, these topics have no code here: language modelling beyond characters (of text there is `WGANGPText`, which
writes single characters), reinforcement learning, and algorithmic tasks such as sorting or copying sequences.
"""
WIDTH = 512  # pixels of a picture with eight images in a row; smaller ones are enlarged by whole factors

# Variants that change given images, with their command: their runs draw held-back ones.
VERBS = {
    "Pix2Pix": "translate",
    "CycleGAN": "translate",
    "SRGAN": "upscale",
    "DeePSiM": "reconstruct",
    "VideoPredictionGAN": "predict-frames",
    "Pix2PixHD": "translate",
}


# Of the presets that take labels: as many as there are make a row of the picture. Of attributes none, then one each.
# Sunglasses are glasses too: no face has them otherwise.
ATTRIBUTES = [":".join(map(str, row)) for row in [[0] * 6, *np.eye(6, dtype=int)[:5].tolist(), [0, 1, 0, 0, 0, 1]]]
LABELS = {
    "cgan_digits": range(10),
    "cgan_mnist": range(10),
    "cc_lapgan_avatars": range(5),
    "acgan_avatars": ATTRIBUTES,
    "biggan_avatars": ATTRIBUTES,
    "icgan_avatars": ATTRIBUTES,
    "sagan_avatars": ATTRIBUTES,
}

# Of the presets that take sentences: each has a column of the picture.
PROMPTS = {
    "stack_gan_avatars": [
        "a face with long red hair, smiling, wearing green clothes",
        "a face with short black hair, a beard, not smiling, wearing red clothes",
        "a face with long blond hair, glasses, smiling, wearing pink clothes",
        "a face with short grey hair, a hat, not smiling, wearing blue clothes",
        "a face with short brown hair, a beard, sunglasses, smiling, wearing black clothes",
        "a face with long black hair, sunglasses, not smiling, wearing grey clothes",
        "a face with short blond hair, a hat, a beard, glasses, smiling, wearing blue clothes",
        "a face with long brown hair, not smiling, wearing red clothes",
    ]
}

EXPRESSION = "107,116,298 - 0,16,77 + 45,60,218"

# What else models show: picture, caption, and a command or, where the command line has none, Python.
MORE = [
    (
        "rows",
        "five kinds of models",
        """
import numpy as np

import keras_gans as kg

held_back = {"split": "test", "shuffle": False}
pairs = kg.data.load_pairs("avatars", sides=("parts", "image"), classes=8, batch_size=4, **held_back)[0]
translator = kg.load("pix2pix_avatars")
maps = translator.input_fields["sources"].colours[pairs["sources"]]
translated = translator.translate(pairs["sources"], seed=0)

patches = kg.data.load_patches("photo_patches", image_size=(64, 64), batch_size=1, **held_back)
detail = np.abs(np.diff(patches.images.astype("int16"), axis=1)).mean((1, 2, 3))
images = patches.images[np.argsort(detail)[-4:]]  # most others are smooth
small = kg.data.make_small(images)
upscaled = kg.load("srgan_photos").upscale(small)

prompts = ["a face with long red hair, smiling, wearing green clothes"] * 4
prompts += ["a face with short black hair, a beard, glasses, wearing blue clothes"] * 4
described = kg.load("stack_gan_avatars").generate(prompts=prompts, seed=0)

seen = kg.data.load_clips("moving_digits", split="test", batch_size=1)[0]["clips"]
clip = [*seen[0], *kg.load("video_digits").predict_frames(seen, frames=4)[0]]


def enlarged(images):  # to 128x128, in three channels
    times = 128 // len(images[0])
    return [image.repeat(times, 0).repeat(times, 1).repeat(3 // image.shape[-1], 2) for image in images]


def alternating(first, second):
    return [image for pair in zip(enlarged(first), enlarged(second)) for image in pair]


tiles = [*enlarged(kg.load("dcgan_avatars").generate(8, seed=0)), *alternating(maps, translated)]
tiles += [*alternating(small, upscaled), *enlarged(described), *enlarged(clip)]
kg.images.save(kg.images.grid(tiles, columns=8), "docs/gallery/rows.png")
""",
    ),
    (
        "canvases",
        "the canvas of gran_mnist after each of its three steps",
        """
import keras_gans as kg

gan = kg.load("gran_mnist")
kg.images.save(gan.picture_of_canvases(gan.canvases(8, seed=0)), "docs/gallery/canvases.png")
""",
    ),
    (
        "scales",
        "the levels of lapgan_avatars, from coarse to fine",
        """
import keras_gans as kg

gan = kg.load("lapgan_avatars")
kg.images.save(gan.picture_of_scales(gan.scales(8, seed=0)), "docs/gallery/scales.png")
""",
    ),
    (
        "reconstructions",
        "digits of the test split, and what ali_mnist's decoder makes of their codes",
        """
import keras_gans as kg

gan = kg.load("ali_mnist")
digits = kg.data.load("mnist", split="test", labels=False, take=16, batch_size=16).images
rows = [image for half in (digits[:8], digits[8:]) for image in (*half, *gan.reconstruct(half))]
kg.images.save(kg.images.grid(rows, columns=8), "docs/gallery/reconstructions.png")
""",
    ),
    (
        "edits",
        "faces of the test split, icgan_avatars' copies of them, and edits: a beard, glasses, a hat, long hair, a "
        "smile, sunglasses",
        """
import keras_gans as kg

gan = kg.load("icgan_avatars")
faces = kg.data.load("avatars", split="test", image_size=(32, 32), labels=False, take=8, batch_size=8).images
rows, labels = [faces, gan.edit(faces)], gan.read_labels(faces)
for shown, gone in ([0], [3]), ([1], []), ([2], []), ([3], [0]), ([4], []), ([1, 5], []):  # long hair hides no beard
    wanted = labels.copy()
    wanted[:, shown], wanted[:, gone] = 1, 0
    rows.append(gan.edit(faces, wanted))
kg.images.save(kg.images.grid([face for row in rows for face in row], columns=8), "docs/gallery/edits.png")
""",
    ),
    (
        "categories",
        "the ten categories of info_gan_mnist, one a column",
        ["keras-gans", "traverse", "info_gan_mnist", "--code", "0", "-o", "docs/gallery/categories.png"],
    ),
    (
        "walk",
        "a walk through three seeds of dcgan_avatars",
        ["keras-gans", "interpolate", "dcgan_avatars", "--seeds", "0,1,2", "-o", "docs/gallery/walk.png"],
    ),
    (
        "sum",
        "three seeds of dcgan_avatars with glasses and long hair - three with long hair + three with a beard, in the "
        "eyes of classifier_avatars: the terms, then their sum",
        ["keras-gans", "arithmetic", "dcgan_avatars", EXPRESSION, "-o", "docs/gallery/sum.png"],
    ),
]


def code(how):
    """A command or Python as a block of Markdown."""
    return f"```python{how}```" if isinstance(how, str) else f"```sh\n{shlex.join(how)}\n```"


def run(how):
    """Runs a command or Python in the project's folder."""
    words = ["-c", how] if isinstance(how, str) else ["-m", "keras_gans_cli.app", *how[1:]]
    subprocess.run([sys.executable, *words], check=True, cwd=DOCS.parent)


def command(preset):
    """The command that draws a preset's picture, as a list of words."""
    labels, card = LABELS.get(preset), cards.read_card(cards.find(preset))
    asked = ["-n", str(len(labels) ** 2), "--labels", ",".join(map(str, labels))] if labels else ["-n", "64"]
    asked += [word for prompt in PROMPTS.get(preset, []) for word in ("--prompt", prompt)]
    enlarge = max(1, WIDTH // (8 * card["image_shape"][1]))
    shown = [] if enlarge == 1 else ["--enlarge", str(enlarge)]
    return ["keras-gans", "sample", preset, *asked, "--seed", "0", *shown, "-o", f"docs/gallery/{preset}.png"]


def theory():
    """The table of topics that are not variants."""
    table = "\n## Theory and techniques\n\n| topic | code | test | picture |\n|---|---|---|---|\n"
    for topic, names, tests, picture in THEORY:
        names = [f"`{name}`" if name.startswith("kg.") else f"[{Path(name).name}](../{name})" for name in names]
        tests = [f"[{test}](../{file})" for file, test in (both.split("::") for both in tests)]
        shown = picture and f"[{Path(picture).name}]({picture.removeprefix('docs/')})"
        table += f"| {topic} | {', '.join(names)} | {', '.join(tests)} | {shown} |\n"
    return table


def main():
    trained = [card for card in map(cards.read_card, cards.presets().values()) if card["variant"] != cards.CLASSIFIER]
    generators = [card for card in trained if card["variant"] not in VERBS]
    gallery = GALLERY
    for card in trained:
        if card not in generators:
            verb, name = VERBS[card["variant"]], card["preset"]
            gallery += (
                f"\n## {name}\n\n{card['title']}: sources that were held back, what the model makes of them and, "
            )
            gallery += f"for pairs, the true partners. `keras-gans {verb} {name} FOLDER -o OUT`\n\n"
            gallery += f"![{card['title']}](../zoo/{card['preset']}/samples.png)\n"
            continue
        gallery += f"\n## {card['preset']}\n\n{card['title']}. `{shlex.join(command(card['preset']))}`\n\n"
        gallery += f"![{card['title']}](gallery/{card['preset']}.png)\n"
    for name, caption, how in MORE:
        gallery += f"\n## {name}: {caption}\n\n{code(how)}\n\n![{caption}](gallery/{name}.png)\n"
    lectures, known = LECTURES, {card["preset"] for card in trained}
    for topic, variant, recipe in TOPICS:
        weights, sample = "", ""
        if recipe in known:
            use = f"{VERBS[variant]} {recipe} FOLDER" if variant in VERBS else f"sample {recipe}"
            use += ' --prompt "..."' if recipe in PROMPTS else ""
            weights, sample = f"[{recipe}](../zoo/{recipe}/card.json)", f"`keras-gans {use}`"
        lectures += f"| {topic} | `{variant}` | `keras-gans train {recipe}` | {weights} | {sample} |\n"
    lectures += theory() + OUTSIDE
    for path, text in ((DOCS / "gallery.md", gallery), (DOCS / "lectures.md", lectures)):
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what the zoo holds. Run: python docs/gallery.py")
    if "--check" in sys.argv:
        for name in [card["preset"] for card in generators] + [name for name, _, _ in MORE]:
            if not (DOCS / "gallery" / f"{name}.png").is_file():
                sys.exit(f"Expected the picture gallery/{name}.png. Received: none. Run: python docs/gallery.py")
    else:
        for how in [command(card["preset"]) for card in generators] + [how for _, _, how in MORE]:
            run(how)


if __name__ == "__main__":
    main()

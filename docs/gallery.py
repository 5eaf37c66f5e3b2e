"""Draws docs/gallery/ and writes docs/gallery.md and docs/lectures.md: python docs/gallery.py [--check]

The pictures are made by the command line, a command a preset; --check compares the pages alone.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from keras_gans_cli import cards

DOCS = Path(__file__).parent
GALLERY = """# The gallery

Samples of every generator in the zoo, not chosen, each by the command above it. Written by `python docs/gallery.py`;
what the samples are worth in numbers stands in [zoo.md](zoo.md).
"""
LECTURES = """# From lecture to command

A line a topic: the class, the recipe that trains it and, where the zoo has its weights, the command that samples.
Written by `python docs/gallery.py`. The theory in pictures is in [examples/theory](../examples/theory/README.md).

| topic | class | train | sample |
|---|---|---|---|
"""
# Topic, class in keras_gans, recipe in zoo/ or the name that `keras-gans train` takes.
TOPICS = [
    ("GAN (2014)", "GAN", "gan_mnist"),
    ("Deep convolutional GAN", "DCGAN", "dcgan_mnist"),
    ("the same, of drawn faces", "DCGAN", "dcgan_avatars"),
    ("Laplacian pyramid", "LAPGAN", "lapgan_avatars"),
    ("class-conditional Laplacian pyramid", "LAPGAN", "cc_lapgan_avatars"),
    ("Conditional GAN", "CGAN", "cgan_mnist"),
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
    ("DRAGAN", "DRAGAN", "dragan"),
    ("Spectral normalization", "SNGAN", "sngan_avatars"),
    ("Mode collapse: packed samples", "PacGAN", "pacgan_stacked_mnist"),
    ("Mode collapse: unrolled discriminator", "UnrolledGAN", "unrolled_gan"),
    ("Mode collapse: a reconstructor of latents", "VEEGAN", "veegan"),
    ("Adversarially learned inference", "ALI", "ali_mnist"),
    ("Bidirectional GAN", "BiGAN", "bigan"),
    ("Invertible conditional GAN: editing a given image", "IcGAN", "icgan_avatars"),
    ("Generative latent optimization", "GLO", "glo_avatars"),
    ("Coupled GANs: pairs from two domains", "CoGAN", "cogan_mnist_edges"),
    ("InfoGAN: codes that the images tell", "InfoGAN", "info_gan_mnist"),
]


# Of the presets that take labels: as many as there are make a row of the picture. Of attributes none, then one each.
ATTRIBUTES = [":".join(str(int(i == shown)) for i in range(6)) for shown in range(-1, 6)]
LABELS = {
    "cgan_mnist": range(10),
    "cc_lapgan_avatars": range(5),
    "acgan_avatars": ATTRIBUTES,
    "icgan_avatars": ATTRIBUTES,
}


def command(preset):
    """The command that draws a preset's picture, as a list of words."""
    labels = LABELS.get(preset)
    asked = ["-n", str(len(labels) ** 2), "--labels", ",".join(map(str, labels))] if labels else ["-n", "64"]
    return ["keras-gans", "sample", preset, *asked, "--seed", "0", "-o", f"docs/gallery/{preset}.png"]


def main():
    generators = [
        card for card in map(cards.read_card, cards.presets().values()) if card["variant"] != cards.CLASSIFIER
    ]
    gallery = GALLERY
    for card in generators:
        gallery += f"\n## {card['preset']}\n\n{card['title']}. `{shlex.join(command(card['preset']))}`\n\n"
        gallery += f"![{card['title']}](gallery/{card['preset']}.png)\n"
    lectures, trained = LECTURES, {card["preset"] for card in generators}
    for topic, variant, recipe in TOPICS:
        sample = f"`keras-gans sample {recipe}`" if recipe in trained else ""
        lectures += f"| {topic} | `{variant}` | `keras-gans train {recipe}` | {sample} |\n"
    for path, text in ((DOCS / "gallery.md", gallery), (DOCS / "lectures.md", lectures)):
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what the zoo holds. Run: python docs/gallery.py")
    if "--check" not in sys.argv:
        for card in generators:
            subprocess.run(
                [sys.executable, "-m", "keras_gans_cli.app", *command(card["preset"])[1:]], check=True, cwd=DOCS.parent
            )


if __name__ == "__main__":
    main()

"""How often latent arithmetic and latent directions change the attribute that they are to change, and no other.

    python benchmarks/latent.py [--model dcgan_avatars] [--classifier classifier_avatars] [--images 500]

An attribute classifier judges generated images. For each attribute, images without it are to get it, by
- arithmetic: z + mean of 3 latents with it - mean of 3 latents without it, rescaled (Radford et al., 2015, three seeds
  a concept), another six for each image;
- the direction fitted to 2000 labelled images, and the same made orthogonal to the other attributes', of --reach
  standard deviations.
"Changed" is the share of images that then show the attribute, "stayed" the share of their other attributes that are as
they were. The column of chance has other images at random.

A model with a mapped latent space has two columns more: the same two directions of styles, by as many standard
deviations of styles along them.
"""

import argparse

import numpy as np

import keras_gans as kg
from keras_gans.metrics.features import resized
from keras_gans_core import cards


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="dcgan_avatars")
    parser.add_argument("--classifier", default="classifier_avatars")
    parser.add_argument("--images", type=int, default=500, help="of each attribute")
    parser.add_argument("--reach", type=float, default=3.0)
    options = parser.parse_args()
    model, classifier = kg.load(options.model), kg.zoo.load_classifier(options.classifier)
    names = cards.read_card(cards.find(options.classifier))["dataset"]["classes"]

    mapped = hasattr(model, "to_styles")

    def seen_in(images):
        return kg.metrics.predict_attributes(classifier, resized(images, classifier.input_shape[1:3]))

    def seen(noise):
        return seen_in(model.generate(noise=noise))

    known = model.noise(2000, seed=0)
    labels = seen(known)
    directions = kg.latent.class_directions(model, classifier, names, attributes=True)
    if mapped:
        in_w = kg.latent.class_directions(model, classifier, names, attributes=True, mapped=True)
        styles = kg.latent.mapped_styles(model, 2000)
    noise = model.noise(8 * options.images, seed=1)
    before, rng = seen(noise), np.random.Generator(np.random.PCG64(2))

    columns = ["chance", "arithmetic", "direction", "orthogonal", *(["in w", "w orthogonal"] * mapped)]
    print(f"{'changed / stayed':16} " + " ".join(f"{column:>14}" for column in columns))
    for place, name in enumerate(names):
        without = np.flatnonzero(before[:, place] == 0)[: options.images]
        start, was = noise[without], before[without]
        others = np.arange(len(names)) != place

        def cell(ended, seen=seen):
            now = seen(ended.astype("float32"))
            return f"{now[:, place].mean():6.1%} /{(now == was)[:, others].mean():6.1%}"

        def concept(has):
            chosen = rng.choice(np.flatnonzero(labels[:, place] == has), (len(start), 3))
            return known[chosen].mean(axis=1)

        direction = directions[name]
        apart = kg.latent.orthogonalize(direction, [directions[other] for other in names if other != name])
        cells = (
            cell(model.noise(len(start), seed=3)),
            cell(kg.latent.rescale(start + concept(1) - concept(0))),
            cell(start + options.reach * direction),
            cell(start + options.reach * apart),
        )
        if mapped:
            begun = model.to_styles(noise=start)[:, 0]
            apart = kg.latent.orthogonalize(in_w[name], [in_w[other] for other in names if other != name])
            steps = [np.std(styles @ direction) * direction for direction in (in_w[name], apart)]
            cells += tuple(
                cell(begun + options.reach * step, lambda ended: seen_in(model.from_styles(ended))) for step in steps
            )
        print(f"{name:16} " + " ".join(f"{text:>14}" for text in cells), flush=True)


if __name__ == "__main__":
    main()

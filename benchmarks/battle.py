"""Does a GRAN of three steps beat one of a single step?

    python benchmarks/battle.py [--data mnist] [--gran-steps 1 3] [--steps 2000] [--seeds 5] [--quick]

For each seed it trains a GRAN of each number of steps, with the same batches and a discriminator of the same size, and
lets every two of them fight by GAM (`kg.metrics.generative_adversarial_metric`), on test images that neither has seen
and as many samples of each:

    r_test = error on test images of the first's discriminator / of the second's
    r_sample = share of the second's samples that the first's discriminator takes for real / of the first's by the
               second's

The first wins where r_sample is below 1, the second where it is above, if r_test is about 1: at most 1 + tolerance
either way. Otherwise there is no winner. The paper (https://arxiv.org/abs/1602.05110) has larger networks and longer
training, and the ratios of its code are of shares that are right, above 1 where the first wins.
"""

import argparse
import itertools
import os
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

import keras

import keras_gans as kg
from keras_gans.data.batches import drawn_rows
from keras_gans.models.gran import build_discriminator, build_generator


def trained(gran_steps, images, steps, seed, base_filters):
    """A GRAN of so many steps after `steps` batches."""
    keras.utils.set_random_seed(seed)
    shape = images.shape[1:]
    model = kg.GRAN(
        build_generator(shape, steps=gran_steps, base_filters=base_filters, code_size=64),
        build_discriminator(shape, base_filters=base_filters),
        seed=seed,
    )
    model.compile(*(kg.optimizers.FusedAdam(2e-4, beta_1=0.5) for _ in range(2)))
    model.fit(kg.data.Batches(images, batch_size=64, seed=seed), steps_per_epoch=steps, verbose=0)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="mnist", help="as for kg.data.load, with the splits train and test")
    parser.add_argument("--gran-steps", type=int, nargs="+", default=[1, 3], help="two or more: each fights each")
    parser.add_argument("--steps", type=int, default=2000, help="batches of 64 that each is trained on")
    parser.add_argument("--samples", type=int, default=1000, help="test images, and samples of each model")
    parser.add_argument("--tolerance", type=float, default=0.1, help="of r_test")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="every code path in seconds; numbers of no meaning")
    options = parser.parse_args()
    steps, samples, seeds, base_filters = options.steps, options.samples, options.seeds, 32
    if options.quick:
        options.data, steps, samples, seeds, base_filters = "drawn:digits", 5, 100, 1, 4
    images = kg.data.load(options.data, labels=False).images
    test = kg.data.load(options.data, split="test", labels=False).images
    test = test[drawn_rows(len(test), samples)]
    pairs, winners = list(itertools.combinations(options.gran_steps, 2)), Counter()
    columns = "{:>4} {:>10} {:>15} {:>17} {:>7} {:>9}  {}"
    print(columns.format("seed", "steps", "errors on test", "errors on samples", "r_test", "r_sample", "winner"))
    for seed in range(seeds):
        keras.utils.clear_session()
        models = {count: trained(count, images, steps, seed, base_filters) for count in options.gran_steps}
        for first, second in pairs:
            battle = kg.metrics.generative_adversarial_metric(
                first=models[first], second=models[second], real=test, n=samples, seed=seed, tolerance=options.tolerance
            )
            winner = {1: first, 2: second}.get(battle.winner)
            winners[first, second, winner] += 1
            errors = [" ".join(f"{error:.1%}" for error in pair) for pair in (battle.test_errors, battle.sample_errors)]
            ratios = [f"{ratio:.2f}" for ratio in (battle.test_ratio, battle.sample_ratio)]
            result = "none" if winner is None else f"{winner} wins"
            print(columns.format(seed, f"{first} - {second}", *errors, *ratios, result), flush=True)
    for first, second in pairs:
        won = [winners[first, second, winner] for winner in (first, second, None)]
        print(f"{first} - {second} steps: {won[0]} to {won[1]} victories, {won[2]} without a winner")


if __name__ == "__main__":
    main()

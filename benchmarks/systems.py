"""The networks and PyTorch loops of train_step.py's workloads pix2pix_hd and srgan.

- pix2pix_hd: the global generator on label maps of 35 classes and their boundaries, and three scales; the loop of the
  authors' code: the generator first, then the discriminator, both judged by the same passes. No perceptual loss.
- srgan: the second phase, whose content loss is of pixels, from 24x24 to 96x96; the discriminator first.

PyTorch runs networks of the same layers and sizes in eager mode.
"""

SIDES = {"pix2pix_hd": ("sources", "targets"), "srgan": ("small", "images")}  # the fields of a batch
CLASSES = 35
FACTOR = 4
MATCHING_WEIGHT, ADVERSARIAL_WEIGHT = 10.0, 1e-3


def networks(workload, shape):
    """Ours: (generator, discriminator)."""
    from keras_gans.models import pix2pix_hd, srgan

    if workload == "srgan":
        return srgan.build_generator(shape[-1], factor=FACTOR), srgan.build_discriminator(shape)
    seen = (*shape[:2], CLASSES + 1)
    return pix2pix_hd.build_generator(seen, shape[-1]), pix2pix_hd.build_discriminator(shape, seen)


def data(workload, count, shape):
    """{field: array} of random examples."""
    import numpy as np

    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (count, *shape)).astype("float32")
    if workload == "srgan":
        return {"small": images[:, ::FACTOR, ::FACTOR], "images": images}
    return {"sources": random.integers(0, CLASSES, (count, *shape[:2])).astype("uint8"), "targets": images}


def torch_networks(workload, shape):
    """In PyTorch what `networks` gives."""
    import torch
    from torch import nn
    from torch.nn import functional

    channels = shape[-1]

    class Residual(nn.Module):
        def __init__(self, *stages):
            super().__init__()
            self.stages = nn.Sequential(*stages)

        def forward(self, x):
            return x + self.stages(x)

    if workload == "srgan":

        def block():
            conv = [nn.Conv2d(64, 64, 3, 1, 1), nn.BatchNorm2d(64)]
            return Residual(*conv, nn.PReLU(64), nn.Conv2d(64, 64, 3, 1, 1), nn.BatchNorm2d(64))

        body = Residual(*(block() for _ in range(16)), nn.Conv2d(64, 64, 3, 1, 1), nn.BatchNorm2d(64))
        up = [[nn.Conv2d(64, 256, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU(64)] for _ in range(2)]
        head = nn.Conv2d(channels, 64, 9, 1, 4), nn.PReLU(64)
        generator = nn.Sequential(*head, body, *up[0], *up[1], nn.Conv2d(64, channels, 9, 1, 4))
        stages, before = [], channels
        for i in range(8):
            width = 64 << (i // 2)
            stages.append(nn.Conv2d(before, width, 3, 1 + i % 2, 1, bias=i == 0))
            stages += [nn.BatchNorm2d(width)] * (i > 0) + [nn.LeakyReLU(0.2)]
            before = width
        flat = 512 * -(-shape[0] // 16) * -(-shape[1] // 16)
        stages += [nn.Flatten(), nn.Linear(flat, 1024), nn.LeakyReLU(0.2), nn.Linear(1024, 1)]
        return generator, nn.Sequential(*stages)

    def reflected(taken, width, size, bias=False):
        return [nn.ReflectionPad2d(size // 2), nn.Conv2d(taken, width, size, bias=bias)]

    def normalised(conv, width, relu=True):
        return [*conv, nn.InstanceNorm2d(width)] + [nn.ReLU()] * relu

    halvings = min(max(min(shape[:2]).bit_length() - 4, 1), 4)
    widths = [64 << i for i in range(halvings + 1)]
    stages = normalised(reflected(CLASSES + 1, 64, 7), 64)
    for before, width in zip(widths, widths[1:]):
        stages += normalised([nn.Conv2d(before, width, 3, 2, 1, bias=False)], width)
    for _ in range(9):
        first, second = (reflected(widths[-1], widths[-1], 3) for _ in range(2))
        stages.append(Residual(*normalised(first, widths[-1]), *normalised(second, widths[-1], relu=False)))
    for width, before in zip(widths[-2::-1], widths[:0:-1]):
        stages += normalised([nn.ConvTranspose2d(before, width, 3, 2, 1, output_padding=1, bias=False)], width)
    generator = nn.Sequential(*stages, *reflected(64, channels, 7, bias=True), nn.Tanh())

    scales = layers = min(max(min(shape[:2]).bit_length() - 4, 1), 3)

    class Scales(nn.Module):
        def __init__(self):
            super().__init__()
            self.scales = nn.ModuleList(self.patches() for _ in range(scales))

        @staticmethod
        def patches():
            taken = CLASSES + 1 + channels
            stages = [nn.Sequential(nn.Conv2d(taken, 64, 4, 2, 2), nn.LeakyReLU(0.2))]
            for i in range(1, layers + 1):
                before, width = 64 * min(2 ** (i - 1), 8), 64 * min(2**i, 8)
                conv = nn.Conv2d(before, width, 4, 2 if i < layers else 1, 2, bias=False)
                stages.append(nn.Sequential(conv, nn.InstanceNorm2d(width), nn.LeakyReLU(0.2)))
            return nn.ModuleList([*stages, nn.Conv2d(width, 1, 4, 1, 2)])

        def forward(self, sources, images):
            x, found = torch.cat([sources, images], 1), []
            for k, scale in enumerate(self.scales):
                x = functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False) if k else x
                maps, y = [], x
                for stage in scale:
                    y = stage(y)
                    maps.append(y)
                found.append(maps)
            return found

    return generator, Scales()


def torch_tutorial(workload, examples, batch, rate):
    """A function that takes one step for each batch of `examples`, {field: array}."""
    import torch
    from torch.nn import functional

    given, images = examples.values()
    generator, discriminator = torch_networks(workload, images.shape[1:])
    g_optimizer, d_optimizer = (
        torch.optim.Adam(network.parameters(), lr=rate["learning_rate"], betas=(rate["beta_1"], 0.999))
        for network in (generator, discriminator)
    )

    def update(optimizer, loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def seen(maps):
        """One-hot classes and boundaries."""
        edges = torch.zeros(maps.shape, dtype=torch.bool)
        down, right = maps[:, 1:] != maps[:, :-1], maps[:, :, 1:] != maps[:, :, :-1]
        for part, marks in ((edges[:, 1:], down), (edges[:, :-1], down)):
            part |= marks
        for part, marks in ((edges[:, :, 1:], right), (edges[:, :, :-1], right)):
            part |= marks
        hot = functional.one_hot(maps.long(), CLASSES).permute(0, 3, 1, 2).float()
        return torch.cat([hot, edges[:, None].float()], 1)

    def says(scales, target):
        return sum(functional.mse_loss(maps[-1], torch.full_like(maps[-1], target)) for maps in scales)

    def hd_step(maps, real):
        sources = seen(maps)
        fake = generator(sources)
        on_real = discriminator(sources, real)
        d_loss = 0.5 * (says(discriminator(sources, fake.detach()), 0.0) + says(on_real, 1.0))
        discriminator.requires_grad_(False)
        on_fake = discriminator(sources, fake)
        discriminator.requires_grad_(True)
        matching = sum(
            4.0 / (len(on_real) * (len(a) - 1)) * functional.l1_loss(y, x.detach())
            for a, b in zip(on_real, on_fake)
            for x, y in zip(a[:-1], b[:-1])
        )
        g_loss = says(on_fake, 1.0) + MATCHING_WEIGHT * matching
        update(g_optimizer, g_loss)
        update(d_optimizer, d_loss)
        return d_loss, g_loss

    def sr_step(small, real):
        fake = generator(small)
        on_real, on_fake = discriminator(real), discriminator(fake.detach())
        d_loss = functional.softplus(-on_real).mean() + functional.softplus(on_fake).mean()
        update(d_optimizer, d_loss)
        discriminator.requires_grad_(False)
        adversarial = functional.softplus(-discriminator(fake)).mean()
        g_loss = functional.mse_loss(fake, real) + ADVERSARIAL_WEIGHT * adversarial
        update(g_optimizer, g_loss)
        discriminator.requires_grad_(True)
        return d_loss, g_loss

    step = sr_step if workload == "srgan" else hd_step
    tensors = [torch.from_numpy(array.copy()) for array in (given, images)]
    sides = [(one.permute(0, 3, 1, 2).contiguous() if one.ndim == 4 else one).split(batch) for one in tensors]

    def epoch():
        for pair in zip(*sides):
            for loss in step(*pair):
                loss.item()

    return epoch

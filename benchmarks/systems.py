"""The models and PyTorch loops of train_step.py's workloads pix2pix_hd, srgan and stack_gan.

- pix2pix_hd: the global generator on label maps of 35 classes and their boundaries, and three scales; the loop of the
  authors' code: the generator first, then the discriminator, both judged by the same passes. No perceptual loss.
- srgan: the second phase, whose content loss is of pixels, from 24x24 to 96x96; the discriminator first.
- stack_gan: the game on three scales, with half of the paper's channels and one residual block a stage; all
  discriminators, on real, wrong and generated images, then the generator. PyTorch is given the encoded sentences, which
  ours encodes in each step by a small network.

PyTorch runs networks of the same layers and sizes in eager mode.
"""

SIDES = {  # the fields of a batch
    "pix2pix_hd": ("sources", "targets"),
    "srgan": ("small", "images"),
    "stack_gan": ("images", "prompts"),
}
CLASSES = 35
FACTOR = 4
MATCHING_WEIGHT, ADVERSARIAL_WEIGHT, KL_WEIGHT = 10.0, 1e-3, 2.0
SCALES, FILTERS, LATENTS, CODES, TEXT = 3, 32, 100, 128, 128  # of stack_gan
WORDS, LENGTH = 20, 8


def networks(workload, shape):
    """Ours: (generator, discriminator); of stack_gan (generator, conditioner, a discriminator for each scale)."""
    from keras_gans.models import pix2pix_hd, srgan, stack_gan

    if workload == "stack_gan":
        sizes = {"stages": SCALES, "condition_dim": CODES, "filters": FILTERS}
        generator = stack_gan.build_generator(shape, latent_dim=LATENTS, blocks=1, **sizes)
        return generator, stack_gan.build_conditioner(TEXT, CODES), *stack_gan.build_discriminators(shape, **sizes)
    if workload == "srgan":
        return srgan.build_generator(shape[-1], factor=FACTOR), srgan.build_discriminator(shape)
    seen = (*shape[:2], CLASSES + 1)
    return pix2pix_hd.build_generator(seen, shape[-1]), pix2pix_hd.build_discriminator(shape, seen)


def model(workload, shape):
    """Ours, not compiled."""
    import keras_gans as kg
    from keras_gans.models import stack_gan

    if workload != "stack_gan":
        return {"pix2pix_hd": kg.Pix2PixHD, "srgan": kg.SRGAN}[workload](*networks(workload, shape))
    generator, conditioner, *discriminators = networks(workload, shape)
    prompts = kg.fields.Prompts([f"word{i}" for i in range(WORDS)], LENGTH)
    encoder = stack_gan.build_text_encoder(prompts, text_dim=TEXT)
    return kg.StackGAN(generator, conditioner, encoder, discriminators, prompts=prompts, kl_weight=KL_WEIGHT)


def data(workload, count, shape):
    """{field: array} of random examples."""
    import numpy as np

    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (count, *shape)).astype("float32")
    if workload == "srgan":
        return {"small": images[:, ::FACTOR, ::FACTOR], "images": images}
    if workload == "stack_gan":
        return {"images": images, "prompts": random.integers(1, WORDS + 1, (count, LENGTH)).astype("int32")}
    return {"sources": random.integers(0, CLASSES, (count, *shape[:2])).astype("uint8"), "targets": images}


def torch_networks(workload, shape):
    """In PyTorch what `networks` gives."""
    import torch
    from torch import nn
    from torch.nn import functional

    if workload == "stack_gan":
        return torch_stack(shape)
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


def torch_stack(shape):
    """The networks of stack_gan in PyTorch."""
    import torch
    from torch import nn
    from torch.nn import functional

    smallest = tuple(side >> (SCALES - 1) for side in shape[:2])
    halvings = 1
    while min(smallest) >> halvings > 4:
        halvings += 1

    def gated(taken, width):
        return nn.Sequential(nn.Conv2d(taken, 2 * width, 3, 1, 1, bias=False), nn.BatchNorm2d(2 * width), nn.GLU(1))

    def up(taken, width):
        return nn.Sequential(nn.Upsample(scale_factor=2), gated(taken, width))

    def image(width):
        return nn.Sequential(nn.Conv2d(width, shape[-1], 3, 1, 1, bias=False), nn.Tanh())

    class Residual(nn.Module):
        def __init__(self, width):
            super().__init__()
            conv = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.stages = nn.Sequential(gated(width, width), conv, nn.BatchNorm2d(width))

        def forward(self, x):
            return x + self.stages(x)

    class Generator(nn.Module):
        def __init__(self):
            super().__init__()
            width, cells = FILTERS << halvings, (smallest[0] >> halvings) * (smallest[1] >> halvings)
            self.start = nn.Sequential(
                nn.Linear(CODES + LATENTS, 2 * width * cells, bias=False), nn.BatchNorm1d(2 * width * cells), nn.GLU(1)
            )
            self.first = nn.Sequential(*(up(width >> i, width >> (i + 1)) for i in range(halvings)))
            widths = [FILTERS >> i for i in range(SCALES)]
            self.images = nn.ModuleList(map(image, widths))
            self.stages = nn.ModuleList(
                nn.ModuleList([gated(CODES + a, a), nn.Sequential(Residual(a), up(a, b))])
                for a, b in zip(widths, widths[1:])
            )

        def forward(self, latents, code):
            x = self.start(torch.cat([code, latents], 1))
            x = self.first(x.reshape(len(x), -1, *(side >> halvings for side in smallest)))
            made = [self.images[0](x)]
            for (joint, rest), to_image in zip(self.stages, self.images[1:]):
                tiled = code[:, :, None, None].expand(-1, -1, *x.shape[2:])
                x = rest(joint(torch.cat([tiled, x], 1)))
                made.append(to_image(x))
            return made

    class Discriminator(nn.Module):
        def __init__(self, stage):
            super().__init__()
            last, body, before = FILTERS << (halvings - 1), [], shape[-1]
            for i in range(halvings + stage):
                body += self.block(before, FILTERS << i, 4, 2, norm=i > 0)
                before = FILTERS << i
            for i in reversed(range(stage)):
                body += self.block(before, last << i, 3, 1)
                before = last << i
            self.body, self.joint = nn.Sequential(*body), nn.Sequential(*self.block(last + CODES, last, 3, 1))
            cells = (smallest[0] >> halvings) * (smallest[1] >> halvings)
            self.with_text, self.alone = nn.Linear(last * cells, 1), nn.Linear(last * cells, 1)

        @staticmethod
        def block(taken, width, size, stride, norm=True):
            conv = nn.Conv2d(taken, width, size, stride, 1, bias=False)
            return [conv, *([nn.BatchNorm2d(width)] if norm else []), nn.LeakyReLU(0.2)]

        def forward(self, means, images):
            x = self.body(images)
            tiled = means[:, :, None, None].expand(-1, -1, *x.shape[2:])
            joint = self.joint(torch.cat([tiled, x], 1))
            return torch.cat([self.with_text(joint.flatten(1)), self.alone(x.flatten(1))], 1)

    class Conditioner(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(TEXT, 4 * CODES)

        def forward(self, texts):
            return functional.glu(self.dense(texts), 1)

    return Generator(), Conditioner(), *(Discriminator(stage) for stage in range(SCALES))


def torch_stack_tutorial(examples, batch, rate):
    """`torch_tutorial` of stack_gan."""
    import itertools

    import torch
    from torch.nn import functional

    generator, conditioner, *discriminators = torch_networks("stack_gan", examples["images"].shape[1:])
    players = [generator, conditioner], discriminators
    g_optimizer, d_optimizer = (
        torch.optim.Adam(
            itertools.chain(*(network.parameters() for network in player)),
            lr=rate["learning_rate"],
            betas=(rate["beta_1"], 0.999),
        )
        for player in players
    )
    images = torch.from_numpy(examples["images"].copy()).permute(0, 3, 1, 2).contiguous()

    def step(real):
        scales = [real]
        for _ in range(SCALES - 1):
            scales.insert(0, functional.avg_pool2d(scales[0], 2))
        mean, log_variance = conditioner(torch.randn(len(real), TEXT)).split(CODES, 1)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        made = generator(torch.randn(len(real), LATENTS), code)
        told, d_loss, g_loss = mean.detach(), 0.0, 0.0
        for judge, x, fake in zip(discriminators, scales, made):
            on_real, on_wrong, on_fake = judge(told, x), judge(told, x.roll(1, 0)), judge(told, fake.detach())
            d_loss += functional.softplus(-on_real).mean(0).sum() + functional.softplus(on_fake).mean(0).sum()
            d_loss += functional.softplus(on_wrong[:, 0]).mean() + functional.softplus(-on_wrong[:, 1]).mean()
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        for judge in discriminators:
            judge.requires_grad_(False)
        for judge, fake in zip(discriminators, made):
            g_loss += functional.softplus(-judge(mean, fake)).mean(0).sum()
        kl = -0.5 * (1.0 + log_variance - mean**2 - log_variance.exp()).mean()
        g_optimizer.zero_grad()
        (g_loss + KL_WEIGHT * kl).backward()
        g_optimizer.step()
        for judge in discriminators:
            judge.requires_grad_(True)
        return d_loss, g_loss

    def epoch():
        for real in images.split(batch):
            for loss in step(real):
                loss.item()

    return epoch


def torch_tutorial(workload, examples, batch, rate):
    """A function that takes one step for each batch of `examples`, {field: array}."""
    import torch
    from torch.nn import functional

    if workload == "stack_gan":
        return torch_stack_tutorial(examples, batch, rate)
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

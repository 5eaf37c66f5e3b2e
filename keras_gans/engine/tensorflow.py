"""Gradients, noise and compilation on TensorFlow."""

import contextlib
import functools
import os
import weakref

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from keras_gans.errors import ConfigurationError

CLUSTER = "TF_CONFIG"  # the environment variable that lists the machines that train together
MACHINES = tf.distribute.MultiWorkerMirroredStrategy


def value_and_grad(loss_fn, variables, scale=None):
    """`loss_fn()` and its gradients for `variables`; all other variables are constants.

    `scale` multiplies the loss before it is differentiated (a loss scale); the loss returned is the unscaled one.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        loss = loss_fn()
        objective = loss if scale is None else scale(loss)
    return loss, tape.gradient(objective, variables)


def forward(fn, variables):
    """`fn()`, with its forward pass kept: the outputs, and a function that backpropagates a loss to `variables`.

    The outputs are a tensor or a list of tensors, and a loss need not read all of them. The function is
    `backward(loss_fn, scale) -> (loss_fn(outputs), gradients)`, with `scale` as in `value_and_grad`.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([variable.value for variable in variables])
        outputs = fn()

    def backward(loss_fn, scale=None):
        with tf.GradientTape(watch_accessed_variables=False) as above:
            above.watch(outputs)
            loss = loss_fn(outputs)
            objective = loss if scale is None else scale(loss)
        # Zeros, because the tape below would take a missing slope for a slope of one.
        slopes = above.gradient(objective, outputs, unconnected_gradients="zero")
        return loss, tape.gradient(outputs, variables, output_gradients=slopes)

    return outputs, backward


def input_gradients(fn, inputs):
    """The gradients of sum(fn(*inputs)) for each of a list of inputs, themselves differentiable; zeros where fn does
    not depend on the input."""
    inputs = [tf.convert_to_tensor(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(fn(*inputs))
    return tape.gradient(total, inputs, unconnected_gradients="zero")


def when(condition, fn, otherwise):
    """`fn()` if a scalar tensor is true, else `otherwise()`: lists of tensors of the same shapes. Only the chosen
    function assigns variables."""
    return tf.cond(condition, fn, otherwise)


def apply_gradients(optimizer, gradients, variables, condition=None):
    """One step of a Keras optimizer on the gradients of a scaled loss; with a condition, only if that is true."""
    if condition is not None:
        _apply_when(condition, optimizer, gradients, variables)
        return
    if tf.distribute.has_strategy() or isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer.apply(gradients, variables)
        return
    # Keras would pass all gradients through one IdentityN, as if there were replicas. Grappler's dependency optimizer
    # drops the edge from a read of a weight to its update where a path through that node makes it superfluous, and then
    # removes the node, and the path: the weight may be read while it is updated.
    tf.distribute.get_replica_context().merge_call(lambda strategy: optimizer.apply(gradients, variables))


def _apply_when(condition, optimizer, gradients, variables):
    if not tf.distribute.has_strategy():
        tf.cond(condition, lambda: apply_gradients(optimizer, gradients, variables), lambda: None)
        return

    def across(strategy, condition, gradients):
        def step():
            strategy.extended.call_for_each_replica(optimizer.apply, args=(gradients, variables))

        tf.cond(strategy.experimental_local_results(condition)[0], step, lambda: None)

    # Replicas meet in an update, and cannot do so inside a branch of their own.
    tf.distribute.get_replica_context().merge_call(across, args=(condition, gradients))


def fused_batch_norm(inputs, scale, offset, epsilon):
    """Batch normalization over all but the last axis: the outputs, and the batch's mean and (biased) variance."""
    maps = inputs if len(inputs.shape) == 4 else tf.reshape(inputs, (-1, 1, 1, inputs.shape[-1]))
    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        maps, tf.convert_to_tensor(scale), tf.convert_to_tensor(offset), epsilon=epsilon, is_training=True
    )
    count = tf.cast(tf.size(maps) // maps.shape[-1], "float32")
    variance *= (count - 1.0) / count  # the kernel returns the unbiased one
    if maps is not inputs:
        outputs = tf.ensure_shape(tf.reshape(outputs, tf.shape(inputs)), inputs.shape)
    return outputs, mean, variance


def fused_adam(variable, momentum, velocity, gradient, step, learning_rate, beta_1, beta_2, epsilon):
    """One update of Adam in one kernel; `step` counts from one. It assigns a TensorFlow variable and its moments, which
    are Keras variables."""
    step = tf.cast(step, "float32")
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=momentum.value.handle,
        v=velocity.value.handle,
        beta1_power=tf.pow(beta_1, step),
        beta2_power=tf.pow(beta_2, step),
        lr=tf.cast(learning_rate, "float32"),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=epsilon,
        grad=tf.cast(gradient, "float32"),
    )


def readable(x, y=None, options=None):
    """The data and options of `fit`, as a `tf.data.Dataset` that does not tune itself.

    tf.data's tuning sleeps for up to a minute at a time, and with TensorFlow 2.21 it may miss that an epoch is over:
    the next epoch then waits for the rest of the sleep (a TensorFlow process on two cores does so after about every
    second epoch). Keras's training steps leave it nothing to tune.

    Args:
        x: `kg.data.Batches` or what they have `following`, arrays or a dict of them, or a `tf.data.Dataset`. Other data
            are returned unchanged.
        y: a second array, or None.
        options: of `fit` or `evaluate`; for arrays, `batch_size` and `shuffle` are applied here.
    """
    options = dict(options or {})
    if hasattr(x, "batch_signature"):
        dataset = _from_batches(x)
    elif isinstance(x, tf.data.Dataset):
        dataset = x
    elif (isinstance(x, (np.ndarray, dict)) or tf.is_tensor(x)) and not options.get("validation_split"):
        arrays = x if y is None else (x, np.asarray(y))
        batch_size = options.pop("batch_size", None)
        dataset = _from_arrays(arrays, batch_size or 32, options.get("shuffle", False))
        options |= {"shuffle": False} if "shuffle" in options else {}
        if batch_size and options.get("validation_data") is not None:  # Keras's default for it is batch_size
            options["validation_batch_size"] = options.get("validation_batch_size") or batch_size
    else:
        return x, y, options
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    return dataset.with_options(untuned), None, options


def _from_batches(batches):
    # TensorFlow keeps a generator function for ever, in its global graph: through it, what the batches hold, and the
    # model that checks them. So the function has a weak reference, and the dataset the strong one.
    held = weakref.ref(batches)

    def epoch():
        batches = held()
        for index in range(batches.num_batches):
            yield batches[index]

    signature = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batches.batch_signature()
    )
    dataset = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    dataset.batches = batches
    return dataset.apply(tf.data.experimental.assert_cardinality(batches.num_batches)).prefetch(2)


def _from_arrays(arrays, batch_size, shuffle):
    arrays = keras.tree.map_structure(tf.convert_to_tensor, arrays)
    count = len(keras.tree.flatten(arrays)[0])
    rows = tf.data.Dataset.range(count)
    if shuffle:
        rows = rows.shuffle(count, seed=np.random.randint(2**31))  # which keras.utils.set_random_seed determines

    def gather(chosen):
        return keras.tree.map_structure(lambda array: tf.gather(array, chosen), arrays)

    return rows.batch(batch_size).map(gather).prefetch(2)


def replica_count():
    """How many replicas share the batch of the step that is running."""
    return 1 if tf.distribute.in_cross_replica_context() else tf.distribute.get_strategy().num_replicas_in_sync


def shared_by(count):
    """A context for creating a model whose batches `count` devices share.

    The devices are GPUs. Without a GPU the CPU is divided, which must happen before TensorFlow's first computation;
    this is a rehearsal and not faster. If the environment variable TF_CONFIG names a cluster, its machines share each
    batch.
    """
    if CLUSTER in os.environ:
        return _strategy(machines=True).scope()
    return contextlib.nullcontext() if count == 1 else _strategy(count).scope()


@functools.cache  # a second strategy in a process would take the first one's messages for its own
def _strategy(count=None, machines=False):
    if machines:
        return MACHINES()
    gpus, cpus = tf.config.list_physical_devices("GPU"), tf.config.list_physical_devices("CPU")
    if gpus and len(gpus) < count:
        raise ConfigurationError(f"Expected {count} GPUs. Received: {len(gpus)}. Ask for at most that many.")
    if not gpus:
        try:
            tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * count)
        except RuntimeError as error:
            raise ConfigurationError(
                f"Expected {count} GPUs, or a CPU that can be divided. Received: no GPU, and: {error}. Do "
                "this first in a new process."
            ) from error
    kind = "GPU" if gpus else "CPU"
    return tf.distribute.MirroredStrategy([f"{kind}:{i}" for i in range(count)])


def scope_of(model):
    """A context for creating variables of a model on its devices."""
    return model.distribute_strategy.scope()


def machine_of(model):
    """The number of this machine, from 0, and how many machines train the model; None for one of the present scope."""
    strategy = tf.distribute.get_strategy() if model is None else getattr(model, "distribute_strategy", None)
    if not isinstance(strategy, MACHINES):
        return 0, 1
    return strategy.cluster_resolver.task_id, len(strategy.cluster_resolver.cluster_spec().job_tasks("worker"))


def devices_of(model):
    """How many devices train a model."""
    strategy = getattr(model, "distribute_strategy", None)
    return 1 if strategy is None else strategy.num_replicas_in_sync


def check_replicas(model, jit_compile, steps_per_execution):
    """Refuses what Keras 3.15 cannot do when several replicas share a batch."""
    strategy, count = model.distribute_strategy, devices_of(model)
    if count == 1:
        return
    for name, value, possible in (
        ("jit_compile", jit_compile, ("auto", False)),
        ("steps_per_execution", steps_per_execution, (1,)),
    ):
        if value not in possible:
            raise ConfigurationError(
                f"Expected no {name} where {count} devices share a batch: Keras 3.15 cannot do it. Received: {value}. "
                "Leave it out, or train on one device."
            )
    outside = [v.path for v in model.weights if not strategy.extended.variable_created_in_scope(v.value)]
    if outside:
        raise ConfigurationError(
            f"Expected networks whose variables are on all {count} replicas. Received: {outside[0]} "
            "and others that were made outside. Build the networks inside `with strategy.scope():` too."
        )


def _philox_normal(size, seed):
    """`philox.normal` in TensorFlow: `size` standard normal numbers for one seed, a pair of integers.

    Philox's bits are the same with and without XLA; the floats that `tf.random.stateless_normal` makes from them are
    not, and neither are those of `keras.random`.
    """
    words = tf.random.stateless_uniform(((size + 1) // 2, 2), seed, None, None, "uint32", alg="philox")
    # The 23 low bits are the mantissa of a number in [1, 2), minus one; then the Box-Muller transform.
    mantissas = tf.bitwise.bitwise_and(words, tf.constant(0x7FFFFF, "uint32"))
    uniform = tf.bitcast(tf.bitwise.bitwise_or(mantissas, tf.constant(0x3F800000, "uint32")), "float32") - 1.0
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(uniform[:, 0], 1e-7)))
    angle = 2.0 * np.pi * uniform[:, 1]
    return tf.reshape(tf.stack([tf.sin(angle) * radius, tf.cos(angle) * radius], axis=1), [-1])[:size]


def normal(shape, seed_generator):
    """Standard normal noise inside a step. `shape[0]` counts this replica's examples.

    Every replica advances the same seed, so each draws the noise of the whole batch and takes its own share.
    """
    seed = tf.cast(seed_generator.next(), "int32")
    replicas, count = replica_count(), shape[0]
    whole = (count * replicas, *shape[1:])
    noise = tf.reshape(_philox_normal(tf.reduce_prod(whole), seed), whole)
    if replicas == 1:
        return noise
    first = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, "int32") * count
    return noise[first : first + count]


# One graph for all sizes: a dozen eager operations would take longer than a small image.
_compiled_normal = tf.function(
    lambda size, seed: _philox_normal(size, tf.stack([seed, 0])),
    input_signature=[tf.TensorSpec((), "int32"), tf.TensorSpec((), "int64")],
)


def seeded_normal(seeds, size):
    """`size` standard normal numbers for each of `seeds`, int64 (N,): float32 (N, size), row i only from seed i."""

    def of_one(seed):
        return tf.ensure_shape(_compiled_normal(size, seed), (size,))

    if isinstance(seeds, list) and len(seeds) == 1:  # a loop would cost a third of a small image's time
        return _compiled_normal(size, seeds[0]).numpy()[None]
    return tf.map_fn(
        of_one, tf.convert_to_tensor(seeds, "int64"), fn_output_signature=tf.TensorSpec((size,), "float32")
    )


def function(fn):
    """`fn`, from {name: tensor} to {name: tensor}, compiled; it takes and returns arrays of any batch size.

    There is one trace for each set of names, dtypes and shapes, batch size aside.
    """
    traces = {}

    def call(inputs):
        arrays = {name: np.asarray(array) for name, array in inputs.items()}
        key = tuple((name, array.dtype.name, array.shape[1:]) for name, array in arrays.items())
        if key not in traces:
            names = list(arrays)
            specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays.values()]
            traced = tf.function(lambda *tensors: fn(dict(zip(names, tensors))), autograph=False)
            traces[key] = traced.get_concrete_function(*specs)
        outputs = traces[key](*[tf.constant(array) for array in arrays.values()])
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return call


def substituted(pairs):
    """A context in which the variable of each pair (variable, value) has that value."""
    return keras.StatelessScope(pairs)


def forget_kernels():
    """Frees the kernels of operations that ran outside of compiled functions. They are made again when needed.

    TensorFlow keeps one for each variable that was ever made, 5 kB or more. A process that reads or writes models again
    and again would grow: Keras makes variables for both.
    """
    context.context().clear_kernel_cache()


def adapt(model):
    """Does nothing on one machine: TensorFlow's trainer calls `train_step(data)` directly.

    On several machines Keras 3.15 treats the logs, which are numbers, as batches, and reads data to build a model that
    is already built (https://github.com/keras-team/keras/issues/20585).
    """
    if isinstance(model.distribute_strategy, MACHINES):
        model._maybe_symbolic_build = lambda **_: None
        model.train_step = _with_logs_as_batches(model, type(model).train_step)
        model.test_step = _with_logs_as_batches(model, type(model).test_step)


def _with_logs_as_batches(model, step):
    return lambda data: {name: tf.expand_dims(value, 0) for name, value in step(model, data).items()}


def _gpus():
    gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu) for gpu in gpus]


def accelerators():
    """The names of the GPUs."""
    return [about.get("device_name", "GPU") for about in _gpus()]


def accelerators_multiply_bfloat16():
    """Whether all GPUs compute with bfloat16 themselves; None without GPUs."""
    gpus = _gpus()
    return all(about.get("compute_capability", (0, 0)) >= (8, 0) for about in gpus) if gpus else None

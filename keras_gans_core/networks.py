"""Converted networks, which run without Keras."""


class OnnxNetwork:
    """An ONNX file as a function from {name: values (N, ...)} to {name: values (N, ...)}.

    Args:
        content: the file's bytes.
    """

    def __init__(self, content):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, inputs):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs)))

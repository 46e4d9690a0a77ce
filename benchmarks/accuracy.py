"""What quantization costs in accuracy: ours with each preset beside torchao, ONNX Runtime and NNCF, on the same data.

For each model: the metric in float and quantized, how often the prediction is the float one, the SQNR of the outputs in
dB, how many of its convolutions, matrix products, additions and multiplications are quantized (quantized_count.py), and the
CPU seconds that quantizing took.

    python benchmarks/accuracy.py [--model mobilenet ...] [--tool ours:balanced --tool nncf ...]

A tool is ours, with a preset or with any options of `qdq quantize` ("ours:--accuracy fast --bias-correction full"), or one of
torchao-xnnpack, torchao-x86, onnxruntime, nncf. All calibrate on the same 64 samples, weights per channel.
"""

import argparse
import copy
import shlex
import subprocess
import sys
import time

import numpy as np
import quantized_count
import recipes
import torch

sys.path.insert(0, str(recipes.ROOT / "build" / "release" / "python"))

QDQ = recipes.ROOT / "build" / "release" / "qdq"
CALIBRATION = 64
DEFAULT_TOOLS = ["ours:fast", "ours:balanced", "ours:best", "torchao-xnnpack", "torchao-x86", "onnxruntime", "nncf"]


class Task:
    """A model with its data. Inputs are tuples of tensors whose first dimension counts samples."""

    batch = 8
    metric = "top-1"
    scale = 100.0

    def onnx_module(self):
        """The same function in ops that torch's ONNX exporter knows."""
        return self.module

    def evaluate(self, run):
        """Runs the model on the evaluation data: the outputs, in batches of `batch`."""
        outputs = []
        for at in range(0, len(self.inputs[0]), self.batch):
            outputs.append(run(tuple(x[at : at + self.batch] for x in self.inputs))[0])
        return np.concatenate(outputs)

    def merits(self, outputs):
        """What each sample has of the metric, which is their mean."""
        return self.scale * (self.predictions(outputs) == self.labels)

    def score(self, outputs):
        return float(np.mean(self.merits(outputs)))

    def standard_error(self, a, b):
        """Of the difference between the scores of two outputs for the same samples."""
        difference = self.merits(a) - self.merits(b)
        return float(difference.std() / np.sqrt(difference.size))

    def predictions(self, outputs):
        return outputs.argmax(-1)


class MobileNet(Task):
    def __init__(self, crops=1):
        self.module, images, labels = recipes.mobilenet(crops=crops)
        self.inputs, self.labels = (images,), labels.numpy()
        centres = images[: len(images) // crops]
        self.calibration = (centres[:: len(centres) // CALIBRATION][:CALIBRATION],)


class Classifier(Task):
    """Of small images, with the labelled ones of its recipe."""

    batch = 50

    def __init__(self, recipe, arguments, places=1, **data):
        recipe = recipes.recipe(recipe)
        self.module = recipe.load(*arguments)[0]
        batches = list(recipe.data(**data))
        images, self.labels = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches]).numpy()
        self.calibration = (images[:: len(images) // CALIBRATION][:CALIBRATION],)
        self.inputs, self.labels = (torch.cat([moved(images, place) for place in range(places)]),), np.tile(self.labels, places)


def moved(images, place):
    """The images as they are for place 0, else moved by up to 4 pixels, as in training, and every second time mirrored."""
    if place == 0:
        return images
    top, left = np.random.default_rng(place).integers(0, 9, 2)
    height, width = images.shape[2:]
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4), mode="reflect")[:, :, top : top + height, left : left + width]
    return (padded.flip(3) if place % 2 else padded).contiguous()


class Pitch(Task):
    """The share of tones whose pitch is found to within 50 cents."""

    batch = 64
    metric = "pitch"

    def __init__(self, tones=2048):
        self.recipe = recipes.recipe("crepe_tiny")
        self.module = self.recipe.load()[0]
        batches = list(self.recipe.data(tones))
        self.inputs, self.labels = (torch.cat([x for x, _ in batches]),), np.concatenate([y for _, y in batches])
        self.calibration = (next(iter(self.recipe.data(CALIBRATION, CALIBRATION, seed=1)))[0],)

    def merits(self, outputs):
        return self.scale * (np.abs(self.recipe.cents(torch.from_numpy(outputs)) - self.labels) < 50)


class Words(Task):
    """The share of pictures whose word is read without a mistake."""

    batch = 20
    metric = "words"

    def __init__(self, words=200):
        self.recipe = recipes.recipe("crnn_english")
        self.module = self.recipe.load()[0]
        batches = list(self.recipe.data(words))
        self.inputs, self.labels = (torch.cat([x for x, _ in batches]),), np.array([word for _, y in batches for word in y])
        self.calibration = (next(iter(self.recipe.data(CALIBRATION, batch=CALIBRATION, seed=1)))[0],)

    def predictions(self, outputs):
        return np.array(self.recipe.decode(torch.from_numpy(outputs)))


class MiniLM(Task):
    """Sentence embeddings; the metric is the rank correlation of their cosines with human scores."""

    batch = 50
    metric = "Spearman"

    def __init__(self, pairs=300):
        recipe = recipes.recipe("minilm_plain")
        self.module = recipe.load()[0]
        first, second, self.labels = recipe.pairs(n=pairs)
        self.inputs = recipe.encode(first + second, 64)
        step = len(self.inputs[0]) // CALIBRATION
        self.calibration = tuple(x[::step][:CALIBRATION] for x in self.inputs)

    def score(self, outputs):
        return self.correlation(outputs, np.arange(len(self.labels)))

    def standard_error(self, a, b):
        generator = np.random.default_rng(0)
        chosen = [generator.integers(0, len(self.labels), len(self.labels)) for _ in range(200)]
        return float(np.std([self.correlation(a, pairs) - self.correlation(b, pairs) for pairs in chosen]))

    def correlation(self, outputs, pairs):
        from scipy.stats import spearmanr

        half = len(outputs) // 2
        return self.scale * float(spearmanr((outputs[:half] * outputs[half:]).sum(1)[pairs], self.labels[pairs]).statistic)

    def predictions(self, outputs):
        return None


class TinyGpt(Task):
    batch = 16
    metric = "bits/byte"

    def __init__(self):
        recipe = recipes.recipe("tiny_gpt")
        self.module = recipe.load()[0]
        batches = list(recipe.data())
        self.inputs, self.labels = (torch.cat([x for x, _ in batches]),), torch.cat([y for _, y in batches]).numpy()
        text, _ = recipe.corpus()
        length = self.inputs[0].shape[1]
        starts = np.linspace(0, len(text) - length - 1, CALIBRATION).astype(int)
        self.calibration = (torch.stack([text[at : at + length] for at in starts]),)

    def merits(self, outputs):
        logits, labels = torch.from_numpy(outputs), torch.from_numpy(self.labels)
        return (torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(1) / np.log(2)).numpy()


class Silero(Task):
    """Voice activity in frames of streams; the state of a frame is the input of the next."""

    metric = "frames"
    batch = 8

    def __init__(self):
        recipe = recipes.recipe("silero_vad16k")
        self.module = recipe.load()[0]
        self.waves, labels = zip(*recipe.data(8))
        self.labels = np.array(labels, dtype=object).T  # [frames, streams]
        frames = self.frames([wave for wave, _ in recipe.data(4, seed=1)])
        calibration = []
        h = c = torch.zeros(4, 128)
        with torch.no_grad():
            for x in frames:
                calibration.append((x, h, c))
                _, h, c = self.module(x, h, c)
        columns = [torch.cat(column) for column in zip(*calibration)]
        step = len(columns[0]) // CALIBRATION
        self.calibration = tuple(x[::step][:CALIBRATION] for x in columns)

    def onnx_module(self):
        """The exporter cannot split the gates of torch.lstm_cell where the batch has no fixed size."""
        module = copy.deepcopy(self.module)
        weight_ih, weight_hh, bias_ih, bias_hh = (x.detach() for x in self.module.lstm_cell.parameters())

        def lstm_cell(x, state):
            h, c = state
            gates = torch.nn.functional.linear(x, weight_ih, bias_ih)
            gates = gates + torch.nn.functional.linear(h, weight_hh, bias_hh)
            i, f, g, o = (gates[:, at : at + 128] for at in range(0, 512, 128))
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c

        del module.lstm_cell
        module.lstm_cell = lstm_cell
        return module

    @staticmethod
    def frames(waves):
        waves = torch.from_numpy(np.stack(waves))
        padded = torch.cat([torch.zeros(len(waves), 64), waves], 1)
        return [padded[:, at : at + 576] for at in range(0, waves.shape[1] - 511, 512)]

    def evaluate(self, run):
        h = c = np.zeros((len(self.waves), 128), np.float32)
        outputs = []
        for x in self.frames(self.waves):
            speech, h, c = run((x, torch.from_numpy(h), torch.from_numpy(c)))
            outputs.append(speech[:, 0])
        return np.stack(outputs)

    def merits(self, outputs):
        known = np.vectorize(lambda label: label is not None)(self.labels)
        return self.scale * ((outputs > 0.5)[known] == self.labels[known].astype(bool))

    def predictions(self, outputs):
        return outputs > 0.5


TASKS = {
    "mobilenet": MobileNet,
    "resnet56": lambda: Classifier("resnet_cifar", [56]),
    "minilm": MiniLM,
    "tiny_gpt": TinyGpt,
    "silero": Silero,
}
# Small networks and data that is made, which say less about accuracy in general.
SMALL_TASKS = {
    "resnet20": lambda: Classifier("resnet_cifar", [20]),
    **{f"fmnist_{kind}": lambda kind=kind: Classifier("fmnist_nets", [kind], n=10000) for kind in ("resnet", "mbv2", "vit")},
    **{f"digits_{kind}": lambda kind=kind: Classifier("digits_nets", [kind]) for kind in ("resnet", "mbv2", "vit")},
    "crepe": Pitch,
    "crnn": Words,
}
# The same for differences that are smaller than the standard error on the usual data.
MORE_SAMPLES = {
    "mobilenet": lambda: MobileNet(crops=10),
    "resnet56": lambda: Classifier("resnet_cifar", [56], places=10),
    "minilm": lambda: MiniLM(1500),
}


def to_numpy(outputs):
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return [x.numpy() for x in outputs]


def export(task, name):
    batch = torch.export.Dim("batch", min=1, max=1024)
    example = tuple(x[:2].clone() for x in task.calibration)
    with torch.no_grad():
        exported = torch.export.export(task.module, example, dynamic_shapes=tuple({0: batch} for _ in example))
    path = recipes.CACHE / f"accuracy_{name}.pt2"
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    torch.export.save(exported, path)
    return exported, path


def quantize_ours(task, name, arguments):
    import qdq

    import resource

    _, path = export(task, name)
    data = recipes.save_npz(f"accuracy_{name}", {f"x{i}": x for i, x in enumerate(task.calibration)})
    output = recipes.CACHE / f"accuracy_{name}.int8.pt2"
    command = [QDQ, "quantize", path, "--calibrate", data, "--batch", "8", "-q", "-o", output]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(x) for x in command + arguments], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    program = qdq.load(output)
    session = qdq.Session(program)
    return lambda inputs: to_numpy(session.run(inputs)), quantized_count.of_program(program), seconds


def batches_of(arrays, batch):
    return [tuple(x[at : at + batch] for x in arrays) for at in range(0, len(arrays[0]), batch)]


def quantize_torchao(task, name, backend):
    from torchao.quantization.pt2e import quantizer as quantizers
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    exported, _ = export(task, name)
    start = time.process_time()
    if backend == "xnnpack":
        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    else:
        from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

        quantizer = quantizers.x86_inductor_quantizer.X86InductorQuantizer()
        quantizer.set_global(x86.get_default_x86_inductor_quantization_config())
    with torch.no_grad():
        prepared = prepare_pt2e(exported.module(), quantizer)
        for batch in batches_of(task.calibration, 8):
            prepared(*batch)
        converted = convert_pt2e(prepared)
    seconds = time.process_time() - start

    def run(inputs):
        with torch.no_grad():
            return to_numpy(converted(*inputs))

    return run, quantized_count.of_fx(converted.graph), seconds


def onnx_file(task, name):
    from peers import export_onnx

    path = recipes.CACHE / f"accuracy_{name}.onnx"
    names = export_onnx(task.onnx_module(), tuple(x[:8].clone() for x in task.calibration), path, any_batch=True)
    return path, names


def quantize_onnxruntime(task, name):
    import onnxruntime
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    path, names = onnx_file(task, name)

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.items = iter([{n: x.numpy() for n, x in zip(names, b)} for b in batches_of(task.calibration, 8)])

        def get_next(self):
            return next(self.items, None)

    output = path.with_suffix(".int8.onnx")
    start = time.process_time()
    quantize_static(path, output, Reader(), quant_format=QuantFormat.QDQ, per_channel=True, activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)  # fmt: skip
    seconds = time.process_time() - start
    session = onnxruntime.InferenceSession(str(output), providers=["CPUExecutionProvider"])

    def run(inputs):
        return session.run(None, {n: x.numpy() for n, x in zip(names, inputs)})

    return run, quantized_count.of_onnx(output), seconds


def quantize_nncf(task, name):
    import nncf
    import openvino

    path, names = onnx_file(task, name)
    items = [{n: x.numpy() for n, x in zip(names, b)} for b in batches_of(task.calibration, 8)]
    kind = nncf.ModelType.TRANSFORMER if name in ("minilm", "tiny_gpt") else None
    start = time.process_time()
    quantized = nncf.quantize(openvino.Core().read_model(path), nncf.Dataset(items), subset_size=len(items), model_type=kind)
    seconds = time.process_time() - start
    compiled = openvino.compile_model(quantized, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda inputs: list(compiled([x.numpy() for x in inputs]).values()), quantized_count.of_openvino(quantized), seconds


def quantize(task, name, tool):
    kind, _, options = tool.partition(":")
    if kind == "ours":
        arguments = shlex.split(options) if options.startswith("-") else ["--accuracy", options]
        return quantize_ours(task, name, arguments)
    if kind.startswith("torchao-"):
        return quantize_torchao(task, name, kind.removeprefix("torchao-"))
    return {"onnxruntime": quantize_onnxruntime, "nncf": quantize_nncf}[kind](task, name)


def row(task, outputs, reference):
    error = np.square(outputs.astype(np.float64) - reference).sum()
    sqnr = 10 * np.log10(np.square(reference.astype(np.float64)).sum() / error) if error else np.inf
    predictions = task.predictions(outputs)
    agreement = "" if predictions is None else f"{100 * np.mean(predictions == task.predictions(reference)):.2f}"
    return f"{task.score(outputs):9.3f} {agreement:>7} {sqnr:7.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", choices={**TASKS, **SMALL_TASKS})
    parser.add_argument("--tool", action="append")
    parser.add_argument("--pairs", type=int, default=1500, help="of sentences that MiniLM is judged by")
    options = parser.parse_args()
    for name in options.model or TASKS:
        task = MiniLM(options.pairs) if name == "minilm" else (TASKS | SMALL_TASKS)[name]()
        cache = recipes.CACHE / f"accuracy_{name}_{len(getattr(task, 'inputs', [[]])[0])}.npy"

        def run_float(inputs):
            with torch.no_grad():
                return to_numpy(task.module(*inputs))

        reference = np.load(cache) if cache.exists() else task.evaluate(run_float)
        recipes.CACHE.mkdir(parents=True, exist_ok=True)
        np.save(cache, reference)
        print(f"\n{name}, {task.metric}; float {task.score(reference):.3f}", flush=True)
        print(f"{'':44} {'metric':>9} {'agree %':>7} {'SQNR dB':>7} {'quantized':>10} {'seconds':>8}")
        for tool in options.tool or DEFAULT_TOOLS:
            try:
                run, count, seconds = quantize(task, name, tool)
                print(f"{tool:44} {row(task, task.evaluate(run), reference)} {count:>10} {seconds:8.1f}", flush=True)
            except subprocess.CalledProcessError as error:
                print(f"{tool:44} {error.stderr.strip()}")
            except ImportError as error:
                print(f"{tool:44} not installed: {error.name}")


if __name__ == "__main__":
    main()

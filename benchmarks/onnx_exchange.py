"""Our int8 ONNX files in other runtimes, beside the files that those runtimes' own quantizers make of the same model.

ONNX Runtime: `qdq quantize` and `qdq export` against quantize_static (QDQ, per channel). OpenVINO: the same file against NNCF's. Batch 1, one
thread, in turns, medians of the process's CPU time, which does not depend on what else the machine does.

    python benchmarks/onnx_exchange.py [build folder, default build/release] [--models mobilenet,tiny_gpt] [--quantizers xnnpack]
    python benchmarks/onnx_exchange.py --memory      reads and writes a model of 1 GB and prints the memory beyond the mapped weights
    python benchmarks/onnx_exchange.py --metrics     the metric of each model in float between dequantize and quantize, in our engine, and
                                                     in ONNX Runtime, all of the ONNX file, with the standard error of the difference of the
                                                     last two and how many samples only ONNX Runtime (+) or only ours (-) gets right; exit
                                                     status 1 where they are more than 0.1 points apart
    python benchmarks/onnx_exchange.py --steps       by how many steps ONNX Runtime's integers differ from the reference's, op by op

Prints medians and the ratio of ours to theirs (below 1: our file is faster). Latency is that of 8 bits throughout, as the others'
files have: ranges behind clamps and corrected biases, but no activations in 16 bits, which other runtimes compute in float.
"""

import argparse
import logging
import pathlib
import statistics
import subprocess
import sys
import time
import warnings

import accuracy
import numpy as np
import onnxruntime
import recipes
import torch
from int8_peers import NETWORKS, SAMPLES, InProcess, OnnxRuntime, OpenVinoFloat32, Task
from peers import onnxruntime_forward, openvino_forward

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


# By name: what `qdq quantize` is told. "symmetric" is for OpenVINO: int8 with zero points of 0, which the file keeps.
QUANTIZERS = {
    "xnnpack": ["--quantizer", "xnnpack"],
    "x86": ["--quantizer", "x86"],
    "symmetric": ["--quantizer", "x86", "--symmetric-activations"],
}


class OurFile(InProcess):
    """A file in one of the runtimes."""

    def __init__(self, forward, path, task):
        import onnx

        names = [port.name for port in onnx.load(path).graph.input]
        feed = dict(zip(names, (x.numpy() for x in task.first().values()), strict=True))
        self.run = forward(path, feed, task.threads)


def our_file(build, task, quantizer):
    program = recipes.export(task.name, task.module, list(task.first().values()))
    data = recipes.save_npz(f"{task.name}.data", task.inputs)
    quantized = recipes.CACHE / f"{task.name}.{quantizer}.pt2"
    options = [*QUANTIZERS[quantizer], "--accuracy", "fast", "--observe-behind-clamps", "--bias-correction", "fast"]
    options += ["--per-channel"] if quantizer == "xnnpack" else []
    options += ["--also", "aten.matmul.default"] if quantizer != "xnnpack" and task.is_transformer else []
    command = [build / "qdq", "quantize", program, "--calibrate", data, *options, "--batch", "1", "-o", quantized]
    subprocess.run(command, check=True, capture_output=True)
    path = recipes.CACHE / f"{task.name}.{quantizer}.onnx"
    subprocess.run([build / "qdq", "export", quantized, path, *export_options(quantizer)], check=True, capture_output=True)
    return path


def export_options(quantizer):
    return ["--keep-int8", "--opset", "20"] if quantizer == "symmetric" else []  # ONNX Runtime 1.32 needs uint8 from 21 on


def compare(label, engines, rounds, runs):
    times = {name: [] for name in engines}
    for engine in engines.values():
        engine.measure(3)
    for _ in range(rounds):
        for name, engine in engines.items():
            times[name] += engine.measure(runs)
    medians = {name: statistics.median(t) / 1e6 for name, t in times.items()}
    theirs = medians.pop("theirs")
    for name, median in medians.items():
        print(f"{label:26} ours ({name}) {median:7.2f} ms  theirs {theirs:7.2f} ms  ratio {median / theirs:5.2f}", flush=True)


def network(name):
    """(module, inputs, is it a transformer): of int8_peers.py, or of accuracy.py in ops that torch's exporter knows."""
    if name in NETWORKS:
        module, *inputs = NETWORKS[name].make(SAMPLES)
        return module, inputs, NETWORKS[name].is_transformer
    task = accuracy.TASKS[name]()
    return task.onnx_module(), [x[:SAMPLES] for x in task.calibration], name == "tiny_gpt"


def latency(options):
    for name in options.models.split(","):
        module, inputs, is_transformer = network(name)
        task = Task(name, module, {f"input_{i}": x for i, x in enumerate(inputs)}, 1, 1, is_transformer)
        with torch.no_grad():
            files = {quantizer: our_file(options.build.resolve(), task, quantizer) for quantizer in options.quantizers.split(",")}
            for runtime, forward, theirs in [
                ("onnxruntime", onnxruntime_forward, OnnxRuntime),
                ("openvino", openvino_forward, OpenVinoFloat32),
            ]:
                try:
                    engines = {quantizer: OurFile(forward, file, task) for quantizer, file in files.items()}
                    engines["theirs"] = theirs(task)
                except RuntimeError as error:
                    print(f"{name} does not run in {runtime}: {str(error).strip().splitlines()[-1]}", flush=True)
                    continue
                compare(f"{name} in {runtime}", engines, options.rounds, options.runs)


def in_onnxruntime(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    return lambda inputs: session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})


def on_our_side(path, executor):
    """executor: "fast" is the int8 engine, "simulated" computes each op in float between dequantize and quantize."""
    import qdq

    session = qdq.Session(qdq.load(path), executor=executor, threads=1)
    return lambda inputs: accuracy.to_numpy(session.run(inputs))


def metrics(options):
    """Prints a line for each model and quantizer; True if the metrics agree."""
    fine = True
    tasks = accuracy.TASKS | accuracy.SMALL_TASKS | (accuracy.MORE_SAMPLES if options.more_samples else {})
    print(f"{'':23} {'metric':10} {'float ops':>9} {'ours':>9} {'ONNX RT':>9} {'ONNX RT - ours':>20}   the same predictions; right in one only")
    for name in options.models.split(","):
        task = tasks[name]()
        for quantizer in options.quantizers.split(","):
            accuracy.quantize_ours(task, name, ["--accuracy", options.accuracy, *QUANTIZERS[quantizer]])
            quantized = recipes.CACHE / f"accuracy_{name}.int8.pt2"
            path = quantized.with_suffix(".onnx")
            more = export_options(quantizer) + (["--round-biases"] if options.round_biases else [])
            subprocess.run([accuracy.QDQ, "export", quantized, path, *more], check=True, capture_output=True)
            engine, runtime = task.evaluate(on_our_side(path, "fast")), task.evaluate(in_onnxruntime(path))
            float_ops = None if options.more_samples else task.evaluate(on_our_side(path, "simulated"))
            scores = [np.nan if outputs is None else task.score(outputs) for outputs in (float_ops, engine, runtime)]
            difference = scores[2] - scores[1]
            fine &= abs(difference) <= 0.1
            print(f"{name:14} {quantizer:8} {task.metric:10} {' '.join(f'{s:9.3f}' for s in scores)}"
                  f" {difference:+10.3f} +- {task.standard_error(engine, runtime):6.3f}   {agreement(task, engine, runtime)}", flush=True)  # fmt: skip
    return fine


def agreement(task, engine, runtime):
    """How often our engine predicts what ONNX Runtime does, and how many samples only one of the two has right."""
    if task.predictions(engine) is None:
        return ""
    share = 100 * np.mean(task.predictions(engine) == task.predictions(runtime))
    gains = task.merits(runtime) - task.merits(engine)
    return f"{share:6.2f} %; {np.sum(gains > 0):+d} {-np.sum(gains < 0):+d}"


def steps(options):
    """Each op on the integers that the reference has in front of it, so that its own differences show and no others."""
    import onnx
    import qdq

    sys.path.insert(0, str(recipes.ROOT / "tests" / "python"))
    import onnx_runs

    columns = ["ops", "integers", "ONNX RT - reference, node by node", "fused", "ONNX RT - engine", "most", "up"]
    print(f"{'':23} " + "  ".join(f"{column:>14}" for column in columns))
    for name in options.models.split(","):
        task = (accuracy.TASKS | accuracy.SMALL_TASKS)[name]()
        samples = [x[:8].numpy() for x in task.calibration]
        for quantizer in options.quantizers.split(","):
            accuracy.quantize_ours(task, name, ["--accuracy", options.accuracy, *QUANTIZERS[quantizer]])
            path = recipes.CACHE / f"accuracy_{name}.int8.onnx"
            qdq.save(qdq.load(path.with_suffix(".pt2")), path, opset=20 if quantizer == "symmetric" else 21, keep_int8=quantizer == "symmetric", round_biases=options.round_biases)
            model = onnx.load(path)
            cut, names = onnx_runs.with_given_integers(model)
            executor = qdq.Executor(qdq.load(path), executor="reference")
            executor.keep_values(names)
            outputs = executor.run(samples)
            integers = [as_written(executor.kept_value(value).numpy()) for value in names]
            feeds = [*samples, *integers]
            cut_path = path.with_suffix(".cut.onnx")
            for port, feed in zip(cut.graph.input, feeds, strict=True):
                port.CopyFrom(onnx.helper.make_tensor_value_info(port.name, port.type.tensor_type.elem_type, feed.shape))
            onnx.save(cut, cut_path)
            plain, fused = (onnx_runs.run(cut, feeds, optimized=optimized)[len(outputs) :] for optimized in (False, True))
            engine = accuracy.to_numpy(qdq.Session(qdq.load(cut_path), threads=1).run(feeds))[len(outputs) :]
            table = {}
            for value, expected, *found in zip(names, integers, plain, fused, map(as_written, engine), strict=True):
                rows = [expected, *found]
                table.setdefault(op_in_front(model, value), []).append([row.astype(int).ravel() for row in rows])
            for op, rows in sorted(table.items()):
                expected, one_by_one, together, ours = (np.concatenate(column) for column in zip(*rows, strict=True))
                differences = [one_by_one - expected, together - expected, together - ours]
                shares = "  ".join(f"{np.mean(difference != 0):14.1e}" for difference in differences)
                last = differences[-1]
                up = np.mean(last[last != 0] > 0) if last.any() else 0
                print(f"{name:14} {quantizer:8} {op:>14}  {last.size:14}  {shares}  {np.abs(last).max():14}  {up:14.2f}", flush=True)


def as_written(integers):
    """int8 as the files have it: uint8, higher by 128."""
    return (integers.astype(int) + 128).astype(np.uint8) if integers.dtype == np.int8 else integers


def op_in_front(model, value):
    """What computes the value that is quantized to `value`: the nearest node that is no clamp."""
    makers = {output: node for node in model.graph.node for output in node.output}
    node = makers[value]
    while node is not None and node.op_type in ("QuantizeLinear", "Clip", "Relu"):
        node = makers.get(node.input[0])
    return node.op_type if node is not None else "input"


def anonymous_peak(command):
    """Most private memory of a process that is not mapped from files, in MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        except FileNotFoundError:
            break
        for line in status.splitlines():
            if line.startswith("RssAnon:"):
                peak = max(peak, int(line.split()[1]))
        time.sleep(0.002)
    if process.wait() != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 1024


def memory(options):
    width = 4096
    layers = [torch.nn.Linear(width, width, bias=False) for _ in range(16)]
    program = recipes.export("linears_of_1_gb", torch.nn.Sequential(*layers).eval(), [torch.randn(1, width)])
    qdq = options.build.resolve() / "qdq"
    path, back = recipes.CACHE / "linears_of_1_gb.onnx", recipes.CACHE / "linears_back.pt2"
    for label, command in [("write", [qdq, "export", program, path]), ("read", [qdq, "inspect", path]), ("read and write", [qdq, "export", path, back])]:
        print(f"{label:16} {path.stat().st_size if path.exists() else 0:>13,} bytes  {anonymous_peak(command):6.1f} MB", flush=True)
    for file in (program, path, back):
        pathlib.Path(file).unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=recipes.ROOT / "build" / "release", type=pathlib.Path)
    parser.add_argument("--models", help="default: mobilenet,resnet18, with --metrics all of benchmarks/accuracy.py, large and small")
    parser.add_argument("--quantizers", default="xnnpack,x86")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--runs", type=int, default=10, help="of each file per round")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--metrics", action="store_true")
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--round-biases", action="store_true", help="compare the metrics of files with rounded biases")
    parser.add_argument("--more-samples", action="store_true", help="compare metrics on more data where the usual leave much to chance, without float ops")
    parser.add_argument("--accuracy", default="balanced", help="preset of the files that --metrics and --steps compare")
    options = parser.parse_args()
    torch.set_num_threads(1)
    recipes.CACHE.mkdir(parents=True, exist_ok=True)
    if not options.models:
        options.models = ",".join(accuracy.TASKS | accuracy.SMALL_TASKS) if options.metrics or options.steps else "mobilenet,resnet18"
    if options.metrics:
        sys.exit(0 if metrics(options) else 1)
    run = memory if options.memory else steps if options.steps else latency
    run(options)


if __name__ == "__main__":
    main()

"""MobileNetV2 on 500 ImageNet images, calibrated with 64 of them: ours and torchao's, float and quantized.

Prints top-1 and agreement of: torch's float model and our float executor; torchao's converted program in torch and,
saved as .pt2, run by us; the program that we quantized, run by us and in torch.

Everything runs image by image on one thread. A Q/DQ graph is chaotic: one value that rounds the other way (float sums in
another order) becomes thousands within a few layers, so torch itself, run in batches of 20, disagrees with torch run
image by image about as often as two different quantizations do; the last row shows it.

    python benchmarks/mobilenet_accuracy.py
"""

import logging
import subprocess
import warnings

import numpy as np
import recipes
import torch

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e  # noqa: E402
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config  # noqa: E402

QDQ = recipes.ROOT / "build" / "release" / "qdq"


def run_ours(program, images):
    output = recipes.CACHE / "output.npz"
    subprocess.run([QDQ, "run", program, "--input", images, "--output", output, "--batch", "1", "--threads", "1"], check=True, capture_output=True)
    arrays = np.load(output)
    return torch.from_numpy(arrays[arrays.files[0]])


def main():
    torch.set_num_threads(1)
    module, images, labels = recipes.mobilenet()
    calibration = images[:: len(images) // 64][:64]
    shapes = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    with torch.no_grad():
        exported = torch.export.export(module, (images[:2].clone(),), dynamic_shapes=shapes)
        float_path = recipes.CACHE / "mobilenet.pt2"
        recipes.CACHE.mkdir(parents=True, exist_ok=True)
        torch.export.save(exported, float_path)
        images_path = recipes.save_npz("images", {"x": images})
        calibration_path = recipes.save_npz("calibration", {"x": calibration})

        def in_torch(model, batch=1):
            return torch.cat([model(images[i : i + batch]) for i in range(0, len(images), batch)])

        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        prepared = prepare_pt2e(exported.module(), quantizer)
        for i in range(0, 64, 8):
            prepared(calibration[i : i + 8])
        converted = convert_pt2e(prepared)
        torchao_path = recipes.CACHE / "mobilenet.torchao.pt2"
        torch.export.save(torch.export.export(converted, (images[:2].clone(),), dynamic_shapes=shapes), torchao_path)

        ours_path = recipes.CACHE / "mobilenet.ours.pt2"
        command = [QDQ, "quantize", float_path, "--calibrate", calibration_path, "--quantizer", "xnnpack", "--per-channel"]
        subprocess.run([*command, "--accuracy", "fast", "--batch", "8", "-o", ours_path], check=True, capture_output=True)

        results = {
            "float, torch": in_torch(module),
            "float, ours": run_ours(float_path, images_path),
            "torchao's int8, torch": in_torch(converted),
            "torchao's int8, ours": run_ours(torchao_path, images_path),
            "our int8, ours": run_ours(ours_path, images_path),
            "our int8, torch": in_torch(torch.export.load(ours_path).module()),
            "torchao's int8, torch, 20": in_torch(converted, batch=20),
        }
    names = list(results)
    predictions = {name: result.argmax(1) for name, result in results.items()}
    print(f"{'program':30} {'top-1':>6}   agreement with " + ", ".join(f"[{i}]" for i in range(len(names))))
    for i, name in enumerate(names):
        agreement = [(predictions[name] == predictions[other]).float().mean().item() * 100 for other in names]
        top1 = (predictions[name] == labels).float().mean().item() * 100
        print(f"[{i}] {name:26} {top1:6.1f}   " + "  ".join(f"{a:5.1f}" for a in agreement))


if __name__ == "__main__":
    main()

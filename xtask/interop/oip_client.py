"""The stock `tritonclient` against the gateway, with tensors as JSON."""

import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from system import Checks, holder, load, sign_in, token

info = load()
offer = info["open_inference"]
model = offer["model"]
checks = Checks()

user = holder(info, "inference", without=("inference-sensitive",))
headers = {"authorization": "Bearer " + token(info, sign_in(info, user), "inference")}
reading = {"authorization": "Bearer " + token(info, sign_in(info, holder(info, "read-only")), "read-only")}
client = triton.InferenceServerClient(url=offer["base_url"].removeprefix("http://"))

checks.expect("the model is ready", client.is_model_ready(model, headers=reading))
metadata = client.get_model_metadata(model, headers=reading)
checks.expect("metadata names the model", metadata["name"] == model, metadata)

# The first row of the public data set: a malignant sample.
row = [
    17.99, 10.38, 122.8, 1001.0, 0.1184, 0.2776, 0.3001, 0.1471, 0.2419, 0.07871,
    1.095, 0.9053, 8.589, 153.4, 0.006399, 0.04904, 0.05373, 0.01587, 0.03003, 0.006193,
    25.38, 17.33, 184.6, 2019.0, 0.1622, 0.6656, 0.7119, 0.2654, 0.4601, 0.1189,
]  # fmt: skip


def infer(outputs, headers=headers, binary=False):
    tensor = triton.InferInput("measurements", [1, 30], "FP64")
    tensor.set_data_from_numpy(numpy.array([row], dtype=numpy.float64), binary_data=binary)
    asked = [triton.InferRequestedOutput(name, binary_data=False) for name in outputs] or None
    # The client adds headers of its own to the ones it is given.
    return client.infer(model, [tensor], outputs=asked, headers=dict(headers))


label = infer(["label"]).as_numpy("label")
checks.expect("a label is given", [str(value) for value in label.flatten()] == ["malignant"], label)


def withheld(name, outputs):
    """Refused or stripped, as policy says; never given."""
    try:
        given = infer(outputs)
        found = [output for output in ("probability", "margin") if given.get_output(output)]
        checks.expect(name, not found, found)
    except InferenceServerException as error:
        checks.expect(name, error.status() == "403", error)


withheld("a margin stays away from whoever may only predict", ["label", "margin"])
withheld("asking for everything does not bring it either", [])
label = infer([]).as_numpy("label")
checks.expect("a request that names no output gets the label", label is not None, label)

try:
    infer(["label"], binary=True)
    checks.expect("binary tensors are refused, and the message says what to do", False, "it was answered")
except InferenceServerException as error:
    held = error.status() == "415" and "binary_data=False" in error.message()
    checks.expect("binary tensors are refused, and the message says what to do", held, error)

try:
    infer(["label"], headers={})
    checks.expect("a stranger is refused", False, "it was answered")
except InferenceServerException as error:
    checks.expect("a stranger is refused", error.status() == "401", error)

for name, call in [
    ("unloading the model is refused", lambda: client.unload_model(model, headers=headers)),
    ("the model's configuration is refused", lambda: client.get_model_config(model, headers=headers)),
    ("its statistics are refused", lambda: client.get_inference_statistics(model, headers=headers)),
]:
    try:
        call()
        checks.expect(name, False, "it was answered")
    except InferenceServerException as error:
        checks.expect(name, error.status() in ("403", "404"), error)

try:
    checks.expect("the model still answers", infer(["label"]).as_numpy("label") is not None)
except InferenceServerException as error:
    checks.expect("the model still answers", False, error)

checks.finish()

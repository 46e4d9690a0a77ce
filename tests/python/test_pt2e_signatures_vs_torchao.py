"""Every public function and class of torchao.quantization.pt2e is here and takes the same arguments, asked live.

Ours may take more by keyword. What differs is listed with its reason, and the list holds nothing else.
"""

import importlib
import inspect
import pkgutil

import pytest

torchao = pytest.importorskip("torchao.quantization.pt2e")

THEIRS = "torchao.quantization.pt2e"
OURS = "qdq.pt2e"

# Modules of torchao's that nobody imports for their names: the steps behind prepare_pt2e, convert_pt2e and Inductor's fusions.
INTERNAL = {".convert", ".prepare", ".qat_utils", ".inductor_passes"}

# Absent names.
MISSING = {
    ".constant_fold ConstantFolder": "an interpreter behind constant_fold",
    ".constant_fold constant_graph_tag": "of Inductor's runtime weight updates",
    ".constant_fold run_and_get_constant_graph": "of Inductor's runtime weight updates",
    ".observer HistogramObserver.reset_histogram": "the histogram is the core's; reset_min_max_vals forgets it",
    ".observer AffineQuantizedObserverBase.convert": "convert_pt2e writes the affine operators; a subclass may define it",
    ".fake_quantize AffineFakeQuantize.convert": "convert_pt2e writes the affine operators; a subclass may define it",
    ".observer choose_qparams_affine_with_min_max": "a step of the affine observers, which are the core's",
    ".observer quantize_affine": "torch.ops.torchao.quantize_affine",
    ".observer dequantize_affine": "torch.ops.torchao.dequantize_affine",
}


def modules():
    yield ""
    for found in pkgutil.walk_packages(torchao.__path__, THEIRS + "."):
        relative = found.name[len(THEIRS) :]
        if not any(relative == name or relative.startswith(name + ".") for name in INTERNAL):
            yield relative


def public_names(module):
    """Those of __all__; else what the module defines without an underscore."""
    return getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def callables(relative):
    """(name, torchao's, ours or None) of the functions, classes and methods of a module."""
    theirs = importlib.import_module(THEIRS + relative)
    ours = importlib.import_module(OURS + relative)
    for name in public_names(theirs):
        value = getattr(theirs, name)
        mine = getattr(ours, name, None)
        if inspect.isfunction(value) or inspect.isclass(value):
            yield name, value, mine
        if inspect.isclass(value) and mine is not None:
            for method, function in vars(value).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function, getattr(mine, method, None)


def key_of(relative, name, value):
    """Where it is defined: a class that several modules export is listed once."""
    home = value.__module__[len(THEIRS) :] if value.__module__.startswith(THEIRS) else relative
    return f"{home} {name}".replace("._affine_quantization", ".observer")


def default_text(value):
    return f"<class {value.__name__}>" if inspect.isclass(value) else repr(value).replace("functools.", "")


def parameters(value):
    kinds = inspect.Parameter
    result = []
    for parameter in inspect.signature(value).parameters.values():
        name = "*" if parameter.kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD) else parameter.name
        result.append((name, parameter.kind, default_text(parameter.default)))
    return result


def is_extra(parameter, expected):
    """Ours may have keyword-only parameters more, and **kwargs where torchao takes none."""
    return parameter[0] not in {name for name, *_ in expected} and parameter[1] in (
        inspect.Parameter.KEYWORD_ONLY,
        inspect.Parameter.VAR_KEYWORD,
    )


RELATIVE = sorted(modules())


@pytest.mark.parametrize("relative", RELATIVE)
def test_the_arguments_are_torchaos(relative):
    differences = {}
    for name, theirs, ours in callables(relative):
        if ours is None:
            if key_of(relative, name, theirs) not in MISSING:
                differences[name] = "missing"
            continue
        expected = parameters(theirs)
        found = parameters(ours)
        if [parameter for parameter in found if not is_extra(parameter, expected)] != expected:
            differences[name] = (inspect.signature(theirs), inspect.signature(ours))
    assert differences == {}


def test_what_is_listed_as_missing_is_missing():
    missing = {
        key_of(relative, name, theirs) for relative in RELATIVE for name, theirs, ours in callables(relative) if ours is None
    }
    assert missing == set(MISSING)


def test_a_difference_shows():
    def theirs(a, b=1): ...
    def ours(a, b=2): ...
    def more(a, b=1, *, c=3, **rest): ...

    assert parameters(theirs) != parameters(ours)
    expected = parameters(theirs)
    assert [parameter for parameter in parameters(more) if not is_extra(parameter, expected)] == expected

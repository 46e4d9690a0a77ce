"""How many ops of a quantized model are quantized, counted in the same way for every tool.

Counted are convolutions, matrix products, and additions and multiplications of two computed values: "quantized/all". An op
is quantized when everything that it reads is dequantized, perhaps moved around since, or comes straight from a quantized
op, with which it is fused then. Biases may be in float. Of our programs it is also said how many values have 16 bits.
"""

MOVES = ("view", "reshape", "_unsafe_view", "transpose", "permute", "squeeze", "unsqueeze", "flatten", "slice", "split", "chunk", "getitem",
         "expand", "clone", "contiguous", "pad", "select", "alias")  # fmt: skip


def counted(rows):
    """rows: (result, kind, [what it reads]) in the graph's order; kind is "dequantize", "move", "op" or anything else."""
    dequantized, quantized, total = set(), set(), 0
    for name, kind, reads in rows:
        if kind == "op":
            total += 1
            if all(read in dequantized or read in quantized for read in reads):
                quantized.add(name)
        elif kind == "dequantize" or (kind == "move" and reads and reads[0] in dequantized):
            dequantized.add(name)
    return f"{len(quantized)}/{total}"


PRODUCTS = ("conv", "linear", "addmm", "matmul", "bmm", "mm")
ELEMENTWISE = ("add", "add_", "mul", "mul_")


def of_aten(nodes, value_of):
    """nodes: with op, target and all_input_nodes; value_of(node): (rank, whether its elements are real numbers) or None."""

    def reads(node):
        for read in node.all_input_nodes:
            value = value_of(read)
            if value and value[1] and not (read.op == "get_attr" and value[0] < 2):
                yield read

    def kind_of(node):
        target = str(node.target)
        name = target.split(".")[1] if target.startswith("aten.") else target
        if "dequantize" in target:
            return "dequantize"
        if name.startswith(PRODUCTS) or (name in ELEMENTWISE and len(list(reads(node))) == 2):
            return "op"
        return "move" if name.startswith(MOVES) or "getitem" in name else ""

    return counted((n.name, kind_of(n), [r.name for r in reads(n)]) for n in nodes)


def of_fx(graph):
    def value_of(node):
        if "dequantize" in str(node.target):  # convert leaves those without a value
            return 4, True
        value = node.meta.get("val")
        return (value.dim(), value.is_floating_point()) if hasattr(value, "is_floating_point") else None

    return of_aten(graph.nodes, value_of)


def of_program(program):
    import qdq

    def value_of(node):
        kind = node.value_type
        return (len(kind.shape), kind.dtype.name.startswith("float")) if isinstance(kind, qdq.TensorMeta) else None

    wide = {
        node.args[0].name
        for node in program.graph.nodes
        if node.target == "quantized_decomposed.quantize_per_tensor.default" and node.args[4] > 255
    }
    return of_aten(program.graph.nodes, value_of) + (f" {len(wide)}w" if wide else "")


def of_onnx(path):
    import onnx

    graph = onnx.load(str(path)).graph
    constants = {x.name for x in graph.initializer} | {n.output[0] for n in graph.node if n.op_type == "Constant"}
    weights = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear" and n.input[0] in constants}

    def rows():
        for node in graph.node:
            reads = [x for x in node.input if x and x not in constants]
            computed = [x for x in reads if x not in weights]
            kind = "move" if node.op_type.lower() in MOVES else ""
            if node.op_type == "DequantizeLinear":
                kind = "dequantize"
            elif node.op_type in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
                kind, reads = "op", list(node.input[:2])
            elif node.op_type in ("Add", "Mul") and len(computed) == 2:
                kind = "op"
            for output in node.output:
                yield output, kind, reads
                kind = "move" if kind == "move" else ""

    return counted(rows())


def of_openvino(model):
    products = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul")
    moves = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "StridedSlice", "Slice", "Split", "VariadicSplit", "Pad", "Relu")

    def reads_of(op):
        return [i.get_source_output().get_node() for i in op.inputs()]

    constants = {}  # of each op that is computed from constants alone: those

    def constants_of(op):
        return constants.get(op.get_friendly_name(), [])

    for op in model.get_ordered_ops():
        found = [constants_of(read) for read in reads_of(op)]
        if op.get_type_name() == "Constant":
            constants[op.get_friendly_name()] = [op]
        elif found and all(found):
            constants[op.get_friendly_name()] = sum(found, [])

    def is_quantized_constant(op):
        return any(x.get_element_type().get_type_name() in ("i8", "u8", "i4", "u4") for x in constants_of(op))

    def rows():
        for op in model.get_ordered_ops():
            name = op.get_type_name()
            reads = reads_of(op)
            computed = [r for r in reads if not constants_of(r)]
            kind = "move" if name in moves else ""
            if name == "FakeQuantize" or is_quantized_constant(op):
                kind = "dequantize"
            elif name in products:
                kind = "op"
            elif name in ("Add", "Multiply") and len(computed) == 2:
                kind = "op"
            yield op.get_friendly_name(), kind, [r.get_friendly_name() for r in (reads if name in products else computed)]

    return counted(rows())

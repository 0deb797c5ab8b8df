"""Products of other libraries, timed for 'irc bench': one family of them a process.

Reads a line of JSON for each request from standard input and answers with one on standard output:

  {"op": "open", "weights": W, "group": G, "rows": R, "cols": C, "ring": BYTES, "skip": [NAME]}
      -> {"peers": {NAME: {"bytes": BYTES, "copies": N}}, "notes": [TEXT]}
  {"op": "time", "peer": NAME, "n": N, "seconds": S} -> {"seconds": OF ONE PRODUCT, "products": N}
  {"op": "close"} -> {}

What fails is answered with {"error": TEXT}. The first line out says what there is:
{"family": NAME, "version": TEXT, "notes": [TEXT]}.

Weights are random and lie in rings of copies with different bytes; "bytes" are those of codes and scales of one copy. A product takes
float activations and gives floats, unless its name says otherwise.
"""

import json
import os
import sys
import time


def copies_of(ring, size):
    """How many copies of so many bytes fill a ring; two at least, so that no product finds its own weights."""
    return max(2, -(-ring // size))


def products_at_once(rows, cols, n):
    """Products in one call of a library, so that a call takes about two milliseconds and what it costs by itself does not count."""
    return max(1, min(32, int(4e7 / (rows * cols * n))))


class OnnxRuntime:
    """Operators of ONNX Runtime, several products a session, with bound inputs and outputs."""

    family = "onnxruntime"

    def __init__(self, threads):
        import numpy
        import onnx
        import onnxruntime

        self.np, self.onnx, self.ort, self.threads = numpy, onnx, onnxruntime, threads
        self.random = numpy.random.default_rng(1)
        self.version = onnxruntime.__version__
        self.notes = []
        onnxruntime.set_default_logger_severity(4)

    def names(self, weights, group):
        if weights == "int8":
            return [
                ("ORT DynamicQuantizeMatMul", self.dynamic),
                ("ORT MatMulInteger", self.integer),
                ("ORT MatMulNBits 8 bit", self.blocks),
            ]
        return {
            "int4": [("ORT MatMulNBits 4 bit", self.blocks)],
            "int2": [("ORT MatMulNBits 2 bit", self.blocks)],
            "int3": [("ORT MatMulNBits 2 bit", lambda *a: self.blocks("int2", *a[1:]))],
        }.get(weights, [])

    def bytes(self, shape):
        count = 1
        for size in shape:
            count *= size
        return self.np.frombuffer(self.random.bytes(count), self.np.uint8).reshape(shape)

    def floats(self, shape):
        return self.random.uniform(0.001, 0.002, shape).astype(self.np.float32)

    def blocks(self, weights, group, rows, cols):
        bits = int(weights[3:])
        size = group or 128
        groups = -(-cols // size)

        def node(index, n):
            helper = self.onnx.helper
            code = self.bytes((rows, groups, size * bits // 8))
            scale = self.floats((rows, groups))
            return (
                helper.make_node(
                    "MatMulNBits", ["x", f"b{index}", f"s{index}"], [f"y{index}"], domain="com.microsoft",
                    K=cols, N=rows, bits=bits, block_size=size, accuracy_level=4),
                {f"b{index}": code, f"s{index}": scale})

        return node, rows * groups * (size * bits // 8 + 4), "float32", "float32"

    def dynamic(self, weights, group, rows, cols):
        def node(index, n):
            code = self.bytes((cols, rows)).view(self.np.int8)
            return (
                self.onnx.helper.make_node(
                    "DynamicQuantizeMatMul", ["x", f"b{index}", f"s{index}"], [f"y{index}"],
                    domain="com.microsoft"),
                {f"b{index}": code, f"s{index}": self.floats((rows,))})

        return node, rows * (cols + 4), "float32", "float32"

    def integer(self, weights, group, rows, cols):
        def node(index, n):
            code = self.bytes((cols, rows)).view(self.np.int8)
            return (
                self.onnx.helper.make_node("MatMulInteger", ["x", f"b{index}"], [f"y{index}"]),
                {f"b{index}": code})

        return node, rows * cols, "uint8", "int32"

    def session(self, node, start, count, shape, types):
        """A session of `count` products, whose weights are random."""
        onnx, helper = self.onnx, self.onnx.helper
        rows, cols = shape
        kinds = {
            "float32": onnx.TensorProto.FLOAT, "uint8": onnx.TensorProto.UINT8, "int32": onnx.TensorProto.INT32}
        nodes, weights, outputs = [], [], []
        for index in range(start, start + count):
            made, tensors = node(index, None)
            nodes.append(made)
            for name, tensor in tensors.items():
                weights.append(onnx.numpy_helper.from_array(tensor, name))
            outputs.append(helper.make_tensor_value_info(f"y{index}", kinds[types[1]], ["n", rows]))
        inputs = [helper.make_tensor_value_info("x", kinds[types[0]], ["n", cols])]
        graph = helper.make_graph(nodes, "products", inputs, outputs, weights)
        model = helper.make_model(
            graph, ir_version=10,
            opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)])
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Threads that wait for the next call would take the processor from whatever is measured next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        return self.ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def open(self, maker, weights, group, rows, cols, ring):
        node, size, *types = maker(weights, group, rows, cols)
        copies = copies_of(ring, size)
        at_once = min(copies, products_at_once(rows, cols, 1))
        sessions = [
            self.session(node, start, min(at_once, copies - start), (rows, cols), types)
            for start in range(0, copies, at_once)
        ]

        def prepare(n):
            if types[0] == "uint8":
                x = self.bytes((n, cols))
            else:
                x = self.random.standard_normal((n, cols)).astype(self.np.float32)
            y = self.ort.OrtValue.ortvalue_from_shape_and_type([n, rows], getattr(self.np, types[1]))
            x = self.ort.OrtValue.ortvalue_from_numpy(x)
            bindings = []
            for session in sessions:
                binding = session.io_binding()
                binding.bind_ortvalue_input("x", x)
                for output in session.get_outputs():
                    binding.bind_ortvalue_output(output.name, y)
                bindings.append((session, binding, len(session.get_outputs())))
            place = 0

            def step():
                nonlocal place
                session, binding, count = bindings[place]
                place = (place + 1) % len(bindings)
                session.run_with_iobinding(binding)
                return count

            return step

        return {"bytes": size, "copies": copies}, prepare


class Torch:
    """Quantized linear layers of PyTorch: FBGEMM, and oneDNN with whatever ONEDNN_MAX_CPU_ISA leaves it."""

    family = "torch"

    def __init__(self, threads):
        import torch
        import warnings

        warnings.filterwarnings("ignore")
        self.torch = torch
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        self.version = torch.__version__
        self.notes = []
        self.held = os.environ.get("ONEDNN_MAX_CPU_ISA")
        self.engines = torch.backends.quantized.supported_engines
        for engine in ("fbgemm", "onednn"):
            if engine not in self.engines:
                self.notes.append(f"this build of PyTorch has no engine '{engine}'")

    def names(self, weights, group):
        if weights != "int8":
            return []
        held = f" {self.held}" if self.held else ""
        peers = [("FBGEMM dynamic", "fbgemm", False)] if not self.held else []
        peers += [
            (f"oneDNN{held} dynamic", "onednn", False),
            (f"oneDNN{held} static", "onednn", True),
        ]
        return [
            (name, lambda *a, engine=engine, static=static: (engine, static))
            for name, engine, static in peers if engine in self.engines
        ]

    def open(self, maker, weights, group, rows, cols, ring):
        torch = self.torch
        engine, static = maker()
        torch.backends.quantized.engine = engine
        size = rows * (cols + 4)
        packed = []
        for _ in range(copies_of(ring, size)):
            code = torch.empty((rows, cols // 8), dtype=torch.int64).random_().view(torch.int8)
            scale = torch.rand(rows, dtype=torch.float64) * 0.001 + 0.001
            weight = torch._make_per_channel_quantized_tensor(
                code, scale, torch.zeros(rows, dtype=torch.int64), 0)
            packed.append(torch.ops.quantized.linear_prepack(weight, None))

        def prepare(n):
            x = torch.randn(n, cols)
            if static:
                x = torch.quantize_per_tensor(x, 0.04, 128, torch.quint8)
            place = 0

            def step():
                nonlocal place
                torch.backends.quantized.engine = engine
                weight = packed[place]
                place = (place + 1) % len(packed)
                if static:
                    torch.ops.quantized.linear(x, weight, 0.5, 128)
                else:
                    torch.ops.quantized.linear_dynamic(x, weight, False)
                return 1

            return step

        return {"bytes": size, "copies": len(packed)}, prepare


class Ggml:
    """Products of the library in llama-cpp-python, called as llama.cpp calls it, with weights in each buffer that takes them."""

    family = "ggml"
    # Numbers of types, as in ggml.h and in files.
    types = {
        "Q4_0": 2, "Q8_0": 8, "Q2_K": 10, "Q3_K": 11, "Q4_K": 12, "IQ4_NL": 20, "MXFP4": 39, "NVFP4": 40}

    def __init__(self, threads):
        import ctypes
        import importlib.metadata
        import importlib.util

        import numpy

        self.c, self.np, self.threads = ctypes, numpy, threads
        self.random = numpy.random.default_rng(1)
        self.notes = []
        self.version = "llama-cpp-python " + importlib.metadata.version("llama_cpp_python")
        package = importlib.util.find_spec("llama_cpp")
        folder = os.path.join(os.path.dirname(package.origin), "lib")
        self.libraries = [
            ctypes.CDLL(os.path.join(folder, f"lib{name}.so"), mode=ctypes.RTLD_GLOBAL)
            for name in ("ggml-base", "ggml-cpu", "ggml")
        ]
        self.declare()
        silence = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
        self.silent = silence(lambda level, text, data: None)
        self.ggml_log_set(self.silent, None)
        self.backend = self.ggml_backend_cpu_init()
        self.ggml_backend_cpu_set_n_threads(self.backend, threads)
        self.device = self.ggml_backend_reg_dev_get(self.ggml_backend_cpu_reg(), 0)
        self.buffers = self.find_buffers()
        self.version += f", ggml {self.text(self.ggml_version())}" if hasattr(self, "ggml_version") else ""

    def declare(self):
        """The functions, with what they take and give."""
        c = self.c
        handle, size, number, text = c.c_void_p, c.c_size_t, c.c_int, c.c_char_p

        class Parameters(c.Structure):
            _fields_ = [("mem_size", size), ("mem_buffer", handle), ("no_alloc", c.c_bool)]

        self.parameters = Parameters
        for name, result, *arguments in [
            ("ggml_log_set", None, handle, handle),
            ("ggml_init", handle, Parameters), ("ggml_free", None, handle),
            ("ggml_version", text), ("ggml_type_name", text, number),
            ("ggml_tensor_overhead", size), ("ggml_graph_overhead_custom", size, size, c.c_bool),
            ("ggml_row_size", size, number, c.c_int64), ("ggml_nbytes", size, handle),
            ("ggml_quantize_init", None, number),
            ("ggml_quantize_chunk", size, number, handle, handle, c.c_int64, c.c_int64, c.c_int64, handle),
            ("ggml_new_tensor_2d", handle, handle, number, c.c_int64, c.c_int64),
            ("ggml_mul_mat", handle, handle, handle, handle),
            ("ggml_new_graph_custom", handle, handle, size, c.c_bool),
            ("ggml_build_forward_expand", None, handle, handle),
            ("ggml_backend_cpu_init", handle), ("ggml_backend_cpu_reg", handle),
            ("ggml_backend_cpu_set_n_threads", None, handle, number),
            ("ggml_backend_cpu_buffer_type", handle),
            ("ggml_backend_reg_dev_get", handle, handle, size),
            ("ggml_backend_reg_get_proc_address", handle, handle, text),
            ("ggml_backend_dev_supports_op", c.c_bool, handle, handle),
            ("ggml_backend_buft_name", text, handle),
            ("ggml_backend_alloc_ctx_tensors_from_buft", handle, handle, handle),
            ("ggml_backend_buffer_free", None, handle),
            ("ggml_backend_tensor_set", None, handle, handle, size, size),
            ("ggml_backend_graph_compute", number, handle, handle),
        ]:
            for library in self.libraries:
                function = getattr(library, name, None)
                if function is not None:
                    function.restype, function.argtypes = result, arguments
                    setattr(self, name, function)
                    break

    @staticmethod
    def text(value):
        return value.decode() if value else ""

    def find_buffers(self):
        """The kinds of buffers for weights, with what their names add to that of a type."""
        found = [("", self.ggml_backend_cpu_buffer_type())]
        address = self.ggml_backend_reg_get_proc_address(
            self.ggml_backend_cpu_reg(), b"ggml_backend_dev_get_extra_bufts")
        if address:
            function = self.c.CFUNCTYPE(self.c.POINTER(self.c.c_void_p), self.c.c_void_p)(address)
            listed = function(self.device)
            index = 0
            while listed and listed[index]:
                name = self.text(self.ggml_backend_buft_name(listed[index]))
                suffix = {"CPU_REPACK": "repacked", "AMX": "AMX"}.get(name, name)
                found.append((" " + suffix, listed[index]))
                index += 1
        return found

    def names(self, weights, group):
        types = {
            "int8": ["Q8_0"], "int4": ["Q4_0", "Q4_K"], "int3": ["Q3_K", "Q2_K"], "int2": ["Q2_K"],
            "mxfp4": ["MXFP4"], "nvfp4": ["NVFP4", "MXFP4"], "nf4": ["IQ4_NL"], "nf4-int8": ["IQ4_NL"],
        }.get(weights, [])
        return [
            (f"ggml {kind}{suffix}", lambda *a, kind=kind, buffer=buffer: (kind, buffer))
            for kind in types if self.text(self.ggml_type_name(self.types[kind])).lower() == kind.lower()
            for suffix, buffer in self.buffers
        ]

    def context(self, tensors, graphs=0):
        size = self.ggml_tensor_overhead() * (tensors + 1)
        size += graphs * self.ggml_graph_overhead_custom(64, False)
        return self.ggml_init(self.parameters(size + 4096, None, True))

    def pool(self, kind, cols):
        """A thousand quantized rows, of which copies draw theirs."""
        count = 1024
        numbers = self.random.standard_normal((count, cols)).astype(self.np.float32)
        size = self.ggml_row_size(kind, cols)
        pool = self.np.empty((count, size), self.np.uint8)
        importance = self.np.ones(cols, self.np.float32)
        self.ggml_quantize_init(kind)
        self.ggml_quantize_chunk(
            kind, numbers.ctypes.data, pool.ctypes.data, 0, count, cols, importance.ctypes.data)
        return pool

    def open(self, maker, weights, group, rows, cols, ring):
        kind, buffer = maker()
        kind = self.types[kind]
        size = self.ggml_row_size(kind, cols) * rows
        copies = copies_of(ring, size)
        holder = self.context(copies)
        tensors = [self.ggml_new_tensor_2d(holder, kind, cols, rows) for _ in range(copies)]
        memory = self.ggml_backend_alloc_ctx_tensors_from_buft(holder, buffer)
        probe = self.context(2)
        product = self.ggml_mul_mat(
            probe, tensors[0], self.ggml_new_tensor_2d(probe, 0, cols, 1)) if memory else None
        if not product or not self.ggml_backend_dev_supports_op(self.device, product):
            if memory:
                self.ggml_backend_buffer_free(memory)
            self.ggml_free(probe)
            self.ggml_free(holder)
            return None
        self.ggml_free(probe)
        pool = self.pool(kind, cols)
        for tensor in tensors:
            copy = self.np.ascontiguousarray(pool[self.random.integers(0, len(pool), rows)])
            self.ggml_backend_tensor_set(tensor, copy.ctypes.data, 0, size)
        current = []

        def release():
            for context, memory in current:
                self.ggml_backend_buffer_free(memory)
                self.ggml_free(context)
            current.clear()

        def prepare(n):
            release()
            at_once = min(copies, products_at_once(rows, cols, n))
            graphs = -(-copies // at_once)
            context = self.context(copies + 1, graphs)
            x = self.ggml_new_tensor_2d(context, 0, cols, n)
            outputs, steps = [], []
            for start in range(0, copies, at_once):
                graph = self.ggml_new_graph_custom(context, 64, False)
                part = tensors[start:start + at_once]
                for tensor in part:
                    self.ggml_build_forward_expand(graph, self.ggml_mul_mat(context, tensor, x))
                steps.append((graph, len(part)))
            memory = self.ggml_backend_alloc_ctx_tensors_from_buft(
                context, self.ggml_backend_cpu_buffer_type())
            numbers = self.random.standard_normal((n, cols)).astype(self.np.float32)
            self.ggml_backend_tensor_set(x, numbers.ctypes.data, 0, numbers.nbytes)
            current.append((context, memory))
            place = 0

            def step():
                nonlocal place
                graph, count = steps[place]
                place = (place + 1) % len(steps)
                if self.ggml_backend_graph_compute(self.backend, graph) != 0:
                    raise RuntimeError("ggml_backend_graph_compute failed")
                return count

            return step

        def close():
            release()
            self.ggml_backend_buffer_free(memory)
            self.ggml_free(holder)

        prepare.close = close
        return {"bytes": size, "copies": copies}, prepare


class Server:
    def __init__(self, library, threads):
        self.library = library
        # Of one thread, the time that the processor gave it: other programs do not count.
        self.clock = time.process_time if threads == 1 else time.perf_counter
        self.opened, self.steps = {}, {}

    def open(self, request):
        self.close(request)
        notes = []
        shape = (request["weights"], request["group"], request["rows"], request["cols"])
        for name, maker in self.library.names(request["weights"], request["group"]):
            if name in request["skip"]:
                continue
            try:
                made = self.library.open(maker, *shape, request["ring"])
            except Exception as error:  # one operator that a build lacks is no reason to miss the others
                notes.append(f"{name}: {str(error).strip().splitlines()[0] if str(error) else type(error).__name__}")
                continue
            if made:
                self.opened[name] = made
        return {"peers": {name: facts for name, (facts, _) in self.opened.items()}, "notes": notes}

    def time(self, request):
        name, n = request["peer"], request["n"]
        if (name, n) not in self.steps:
            self.steps = {key: step for key, step in self.steps.items() if key[0] != name}
            self.steps[name, n] = self.opened[name][1](n)
            self.steps[name, n]()
        step, products = self.steps[name, n], 0
        start = self.clock()
        while True:
            products += step()
            elapsed = self.clock() - start
            if elapsed >= request["seconds"]:
                return {"seconds": elapsed / products, "products": products}

    def close(self, request):
        self.steps = {}
        for _, prepare in self.opened.values():
            close = getattr(prepare, "close", None)
            if close:
                close()
        self.opened = {}
        return {}


def main():
    family, threads = sys.argv[1], int(sys.argv[2])
    # Libraries write what they like to standard output; only answers may go there.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    libraries = {library.family: library for library in (OnnxRuntime, Torch, Ggml)}
    try:
        library = libraries[family](threads)
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {error}"})
        return 1
    answer({"family": family, "version": library.version, "notes": library.notes})
    server = Server(library, threads)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(getattr(server, request["op"])(request))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})
    return 0


if __name__ == "__main__":
    sys.exit(main())

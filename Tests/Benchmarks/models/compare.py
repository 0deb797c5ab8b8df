"""Tokens per second of emitted libraries, and of llama.cpp on the same weights.

    compare.py --irc PATH [--model FOLDER | --random] [--schemes float,w8a8,...] [--gguf F32,Q8_0,...]

Lowers a model in each scheme, compiles what comes out with the command that it recommends, and writes the same checkpoint as GGUF
(if it is a Llama and the packages gguf and llama_cpp are there). Then all of them take turns: a prompt at once, and tokens one
after the other. Medians of the rounds; the time of one thread is what the processor gave it, of several that on the wall.
`--random` makes a Llama of half a billion random weights (8 layers, width 2048).
"""

import argparse
import ctypes
import json
import os
import re
import statistics
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


# ---- Checkpoints ----------------------------------------------------------------------------------------------------


def random_llama(folder):
    """Writes a Llama with random weights in half precision, unless it is there."""
    import numpy

    if os.path.exists(folder + "/config.json"):
        return
    os.makedirs(folder, exist_ok=True)
    width, inner, layers, heads, shared, vocabulary = 2048, 5632, 8, 32, 8, 32000
    narrow = width // heads * shared
    shapes = {"model.embed_tokens.weight": (vocabulary, width)}
    for layer in range(layers):
        start = f"model.layers.{layer}."
        for name, shape in {
            "self_attn.q_proj": (width, width), "self_attn.k_proj": (narrow, width),
            "self_attn.v_proj": (narrow, width), "self_attn.o_proj": (width, width),
            "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width),
            "mlp.down_proj": (width, inner), "input_layernorm": (width,),
            "post_attention_layernorm": (width,),
        }.items():
            shapes[start + name + ".weight"] = shape
    shapes["model.norm.weight"] = (width,)
    shapes["lm_head.weight"] = (vocabulary, width)
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-(len(text) + 8) % 64)
    generator = numpy.random.default_rng(1)
    with open(folder + "/model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in shapes.values():
            if len(shape) == 1:
                values = 1 + 0.1 * generator.standard_normal(shape, numpy.float32)
            else:
                values = generator.standard_normal(shape, numpy.float32) / shape[1] ** 0.5
            file.write(values.astype(numpy.float16).tobytes())
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary,
        "hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": shared,
        "max_position_embeddings": 2048, "hidden_act": "silu", "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": False, "torch_dtype": "float16",
    }
    with open(folder + "/config.json", "w") as file:
        json.dump(config, file)


def tensors(folder):
    """The tensors of a checkpoint in single precision, by name."""
    import numpy

    with open(folder + "/model.safetensors", "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(length))
    types = {"F32": numpy.float32, "F16": numpy.float16}
    data = numpy.memmap(folder + "/model.safetensors", numpy.uint8, "r", 8 + length)
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            array = data[start:end].view(types[entry["dtype"]]).reshape(entry["shape"])
            yield name, array.astype(numpy.float32)


# ---- The emitted library --------------------------------------------------------------------------------------------


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


def read_per_token(stored, table, head):
    """Bytes of weights that a token reads: all but the table of embeddings, unless it is the head as well."""
    return sum(stored.values()) - (stored.get(table, 0) if head in stored else 0)


class Library:
    """A model that irc lowered, compiled as its source recommends."""

    def __init__(self, irc, folder, scheme, work):
        self.label = scheme
        place = f"{work}/{scheme}"
        pipeline = "float" if scheme == "float" else f"rtn-{scheme}"
        os.makedirs(place, exist_ok=True)
        with open(place + "/model.yaml", "w") as file:
            file.write(
                f"irc: 1\nname: model\nsource: {os.path.abspath(folder)}\npipeline: {pipeline}\n"
                "target: native\nemit: [c]\noutput: out\n")
        run([irc, "lower", place + "/model.yaml", "--quiet"])
        out = place + "/out"
        with open(out + "/model.c") as file:
            words = re.search(r"Compile with:\n//\s+(cc .*)", file.read()).group(1).split()
        words.remove("-c")
        run(words + [HERE + "/driver.c", "-DMODEL=model", '-DMODEL_HEADER="model.h"', "-I.",
                     "-o", "driver", "-lm"], cwd=out)
        self.out = out
        with open(out + "/manifest.json") as file:
            stored = {t["name"]: t["bytes"] for t in json.load(file)["emitted"][0]["tensors"]}
        self.bytes = read_per_token(stored, "model.embed_tokens.weight", "lm_head.weight")

    def measure(self, threads, prompt, steps):
        command = [self.out + "/driver", self.out + "/model.weights", threads, prompt, steps]
        if threads == 1:
            command = ["taskset", "-c", "0"] + command
        said = json.loads(run([str(word) for word in command]))
        self.kernels = said["kernels"]
        return prompt / said["prefill"], steps / said["decode"]


# ---- llama.cpp ------------------------------------------------------------------------------------------------------


def write_gguf(folder, path, kind):
    """Writes a Llama checkpoint as GGUF: matrices in `kind`, F32, F16, Q8_0 or Q4_0, gains in single precision."""
    import gguf

    with open(folder + "/config.json") as file:
        config = json.load(file)
    heads, shared = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(shared)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    names = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    top = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
    for name, array in tensors(folder):
        name = name.removesuffix(".weight")
        match = re.fullmatch(r"model\.layers\.(\d+)\.(.*)", name)
        other = f"blk.{match[1]}.{names[match[2]]}" if match else top[name]
        if other.endswith(("attn_q", "attn_k")):
            # Rotary pairs lie side by side in this format, and half a head apart in a checkpoint.
            count = heads if other.endswith("attn_q") else shared
            array = array.reshape(count, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
        form = getattr(gguf.GGMLQuantizationType, kind if array.ndim > 1 else "F32")
        if form > 1 and array.shape[-1] % 32:
            form = gguf.GGMLQuantizationType.F16
        data = gguf.quants.quantize(array, form)
        writer.add_tensor(other + ".weight", data, raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Llama:
    """A model in llama.cpp's library."""

    def __init__(self, path, label):
        import llama_cpp

        self.lib, self.label = llama_cpp, label
        options = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), options)
        if not self.model:
            sys.exit(f"llama.cpp cannot load '{path}'")
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        import gguf

        stored = {t.name: int(t.n_bytes) for t in gguf.GGUFReader(path).tensors}
        self.bytes = read_per_token(stored, "token_embd.weight", "output.weight")
        self.kernels = "llama.cpp"

    def measure(self, threads, prompt, steps):
        lib = self.lib
        options = lib.llama_context_default_params()
        options.n_ctx = prompt + steps
        options.n_batch = options.n_ubatch = prompt
        options.n_threads = options.n_threads_batch = threads
        before = os.sched_getaffinity(0)
        clock = time.process_time if threads == 1 else time.perf_counter
        if threads == 1:
            os.sched_setaffinity(0, {0})
        context = lib.llama_init_from_model(self.model, options)
        try:
            words = [(i * 7919 + 13) % self.vocabulary for i in range(prompt)]
            self._decode(context, words)
            lib.llama_memory_clear(lib.llama_get_memory(context), True)
            start = clock()
            self._decode(context, words)
            between = clock()
            for _ in range(steps):
                logits = lib.llama_get_logits_ith(context, -1)
                row = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float * self.vocabulary)).contents
                self._decode(context, [self._likeliest(row)])
            end = clock()
        finally:
            lib.llama_free(context)
            os.sched_setaffinity(0, before)
        return prompt / (between - start), steps / (end - between)

    def _likeliest(self, row):
        import numpy

        return int(numpy.frombuffer(row, numpy.float32).argmax())

    def _decode(self, context, words):
        array = (self.lib.llama_token * len(words))(*words)
        if self.lib.llama_decode(context, self.lib.llama_batch_get_one(array, len(words))):
            sys.exit("llama.cpp cannot compute the tokens")
        self.lib.llama_synchronize(context)


def quantize_gguf(source, target, kind):
    import llama_cpp

    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype = getattr(llama_cpp, "LLAMA_FTYPE_MOSTLY_" + kind)
    if llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(options)):
        sys.exit(f"llama.cpp cannot write '{target}'")


def llamas(folder, kinds, work):
    """One model for each kind of file; nothing, with a word about it, where the packages are not there."""
    try:
        import gguf, llama_cpp  # noqa: F401, E401
    except ImportError as error:
        print(f"without llama.cpp: {error}", file=sys.stderr)
        return []
    log = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(log, None)
    llamas.log = log
    found = []
    for kind in kinds:
        path = f"{work}/{kind}.gguf"
        if not os.path.exists(path):
            if kind in ("F32", "F16", "Q8_0", "Q4_0"):
                write_gguf(folder, path, kind)
            else:
                base = f"{work}/F16.gguf"
                if not os.path.exists(base):
                    write_gguf(folder, base, "F16")
                quantize_gguf(base, path, kind)
        found.append(Llama(path, "llama.cpp " + kind))
    return found


# ---- Rounds ---------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--irc", default=HERE + "/../../../.build/release/irc")
    parser.add_argument("--model", help="folder of a checkpoint")
    parser.add_argument("--random", action="store_true", help="a Llama of random weights instead")
    parser.add_argument("--schemes", default="float,w8a8,w4a8,w4a4")
    parser.add_argument("--gguf", default="F32,Q8_0,Q4_0", help="'' for none")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--steps", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", default=HERE + "/../../../.build/benchmarks/models")
    chosen = parser.parse_args()
    if bool(chosen.model) == chosen.random:
        parser.error("name a --model, or ask for a --random one")
    name = os.path.basename(os.path.normpath(chosen.model)) if chosen.model else "random"
    work = os.path.abspath(f"{chosen.work}/{name}")
    os.makedirs(work, exist_ok=True)
    folder = chosen.model or work + "/checkpoint"
    if chosen.random:
        random_llama(folder)
    models = [Library(os.path.abspath(chosen.irc), folder, s, work) for s in chosen.schemes.split(",")]
    with open(folder + "/config.json") as file:
        is_llama = json.load(file)["model_type"] == "llama"
    if is_llama and chosen.gguf:
        models += llamas(folder, chosen.gguf.split(","), work)
    print(f"{name}: prompt of {chosen.prompt} tokens, {chosen.steps} steps, medians of {chosen.rounds} rounds")
    print("(one thread: time that the processor gave it; more: time on the wall)")
    print(f"{'':18}{'MiB read':>8} {'threads':>8} {'prefill t/s':>12} {'decode t/s':>12} {'decode GB/s':>12}")
    for threads in map(int, chosen.threads.split(",")):
        rounds = {model: [] for model in models}
        for _ in range(chosen.rounds):
            for model in models:
                rounds[model].append(model.measure(threads, chosen.prompt, chosen.steps))
        for model in models:
            prefill, decode = (statistics.median(column) for column in zip(*rounds[model]))
            print(
                f"{model.label:18}{model.bytes / 2**20:8.1f} {threads:8} {prefill:12.0f} {decode:12.0f}"
                f" {decode * model.bytes / 1e9:12.2f}")


main()

#!/usr/bin/env python3
"""Writes Golden/*.json: what the tokenizers package makes of many texts, for IRCTokenizerTests.

    pip install tokenizers==0.23.3
    python3 golden.py [SHARED]        SHARED: the folder with models/ and data/, default ../shared of the repository

Also writes the small tokenizers of Golden/tiny-*, trained here on a few lines, which need nothing else.
Real texts are stored as counts, hashes and ends of their ids only.
"""
import json
import pathlib
import random
import sys

from tokenizers import (
    AddedToken, Regex, Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers,
    processors, trainers)

here = pathlib.Path(__file__).resolve().parent
golden = here / "Golden"
shared = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here.parents[2] / "shared"

PROSE = """\
The weaver's daughter counted 48 threads, then 1024; she'd lost none, and they're all hers.
"We'll mend it," said the miller, "don't you worry!" But the wheel wouldn't turn again.
  Two spaces begin this line.\tA tab, a dash - and a (bracketed) remark; 3.14159 is enough.

At dusk the river was quiet. It's said that I've seen it rise in May, and I'm told it'll rise again.
naïve café Übung, straße, über; 年年有余 日本語 текст שלום مرحبا 한국어 🙂🚀
"""

TRICKY = [
    "", " ", "  ", "   ", "a", " a", "a ", " a ", "  a  b   c    d", "\n", "\n\n", " \n ", "a\nb", "a\n\nb", "a \n b",
    "a\n\n\n  b", "\t", "\ta\t\tb", "\r\n", "a\r\nb\r\n\r\nc", "a\u00a0b", "\u00a0\u00a0a", "\u3000a\u3000\u3000b", "a\u2028b\u2029c",
    "a\u0085b", "\u200b", "a\u200bb", "\ufeffa", "Hello world, it's 2024!\n", "Hello,World", "don't can't I'll you're we've I'm he'd",
    "DON'T CAN'T I'LL YOU'RE WE'VE I'M HE'D", "it''s 's 't 'x '", "a'sb 'ser 'dare", "it\u2019s", "'\u017f '\u017fa",
    "1 12 123 1234 12345", "3.14 1,000,000 1e-9 0x1F", "½ ² Ⅷ ① ٣٤ 一二", "a1b2c3", "!!! ?! ... --- ***", "a.b,c;d:e", "(a)[b]{c}<d>",
    "http://example.org/a?b=c&d=%20#e", "def f(x):\n    return x + 1\n", "\\ \" ' `", "caf\u00e9", "cafe\u0301", "A\u030a \u00c5 \u212b",
    "\u1e9b\u0323", "q\u0307\u0323 q\u0323\u0307", "\u0344 \u0308\u0301", "\uac00 \u1100\u1161 \u1100\u1161\u11a8 \uac01", "\u0958 \u0915\u093c",
    "\u2126 \u03a9", "\U0001d15e", "\U00010041\u0301", "\u0327\u0f73", "\u08d4\u0301\u0327", "e\u0323\u0301 e\u0301\u0323 \u1ec7",
    "日本語のテキスト", "中文,没有空格。", "한국어 텍스트", "ไทย", "हिन्दी", "שלום עולם", "مرحبا بالعالم", "ελληνικά", "Текст по-русски",
    "🙂", "🙂🙂 🚀", "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "✊🏿", "a🙂b", "\u0000", "a\u0000b", "\u0001\u0002\u001f\u007f", "\u0080\u009f", "\u00ad",
    "\ufffd", "\ufffd\ufffd", "\uffff", "\U0010ffff", "\ue000", "\u088f", "\U00010940", "<0x41>", "<0x0A>\n", "<unk>", "a<unk>b", "<s>", "</s>",
    "<s>Hello</s>", "a <s> b", "a </s>b</s> c", "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b\n<|endoftext|>", "<|endoftext|><|endoftext|>",
    "<|endoftext", "<|padding|>", "<|start_story|>", "<|start_story|>Once upon a time", "x<|end_story|>", "x <|end_story|> y", "<|end_story|>",
    "▁", "▁▁a", "a▁b", " ▁ a", "Ġ", "aĠb", "Ċ", " " * 24 + "a", " " * 25 + "a", " " * 60, "a" * 70, "ab" * 40, "\n" * 20, "!" * 50, "1" * 50,
    "é" * 40, "日" * 40, "🙂" * 20, "Once upon a time, there was a little girl named Lily.", "once upon a time", " Once", "About a big animal",
    "The the THE tHe", "aaaa bbbb aaaa", "[MASK]", "a[MASK]b", "a [MASK] b", "  [MASK]  ", "[LEFT] a", "a   [LEFT]b", "[RIGHT]   a", "a[RIGHT]  [LEFT]b",
    "word aword wordb word, word", "wordword", "naïve word nai\u0308ve", "Straße", "STRASSE", "[BOTH]", " [BOTH] ", "a [BOTH]  [BOTH] b", "éword é",
    "[RIGHT]  x  [RIGHT]", "[RIGHT]   [GAP]", "[GAP]a", "[RIGHT][RIGHT]   ",
]

POOLS = [
    list("abcdefghijklmnopqrstuvwxyz"), list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), list("0123456789"), [" "], [" ", "  ", "   ", "\n", "\t", "\r\n", "\u00a0"],
    list("'\".,;:!?-_()[]{}<>|/\\@#$%^&*+=~`"), ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'"],
    [" the", " and", "ing", " of", "er", " that", "Emma", " Once upon a time", " was", "said"],
    list("éèêüöäñçßøåłžÅÉ½²"), [chr(c) for c in range(0x300, 0x340)] + ["\u0f73", "\u08d4", "\u0323", "\u1ac1"],
    list("日本語中文字漢学生"), list("한국어가각힣") + ["\u1100", "\u1161", "\u11a8"], list("שלוםمرحباहिन्दीไทย"), list("αβγабв"),
    ["🙂", "🚀", "👩‍👧", "🇩🇪", "✊🏿", "\u200d", "\ufe0f"], ["\u0000", "\u0001", "\u007f", "\u0085", "\u00ad", "\u200b", "\u2028", "\u3000", "\ufeff", "\ufffd"],
    ["<s>", "</s>", "<unk>", "<|endoftext|>", "<|end_story|>", "<|start_story|>", "<0x41>", "▁", "Ġ", "[MASK]", "[LEFT]", "[RIGHT]", "[BOTH]", "word"],
]


def random_strings(count):
    source = random.Random(20240607)
    strings = []
    for _ in range(count):
        pools = source.sample(POOLS, source.randint(1, 5))
        text = ""
        for _ in range(source.randint(1, 24)):
            if source.random() < 0.03:
                code = source.randrange(0x110000)
                text += chr(code) if not 0xD800 <= code < 0xE000 else "?"
            else:
                text += source.choice(source.choice(pools))
        strings.append(text)
    return strings


def fnv(ids):
    """FNV-1a of 64 bits over the ids as little-endian 32-bit numbers."""
    value = 0xCBF29CE484222325
    for number in ids:
        for byte in number.to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def digest(ids):
    return {"count": len(ids), "hash": fnv(ids), "first": ids[:8], "last": ids[-8:]}


def decode(tokenizer, ids, skip):
    """The text, or None where the reference gives up on a text shorter than what is to be cut off."""
    try:
        return tokenizer.decode(ids, skip_special_tokens=skip)
    except BaseException as error:  # its panics are no Exception
        if type(error).__name__ != "PanicException":
            raise
        return None


def describe(tokenizer, with_texts, strings):
    encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    result = {"tokenizers": __version__, "vocabulary": max(tokenizer.get_vocab().values()) + 1}
    result["cases"] = []
    for text in TRICKY:
        plain, full = encode(text), tokenizer.encode(text).ids
        case = {"ids": plain}
        if full != plain:
            case["special"] = full
        # Only what is not the text itself.
        for key, skip in [("decoded", False), ("skipped", True)]:
            decoded = decode(tokenizer, full, skip)
            if decoded != text:
                case[key] = decoded
        result["cases"].append(case)
    result["random"] = [fnv(encode(text))[:8] for text in strings]
    source = random.Random(7)
    result["decodings"] = []
    for _ in range(60):
        ids = [source.randrange(result["vocabulary"]) for _ in range(source.randint(1, 12))]
        if source.random() < 0.5:
            ids = [number % 300 for number in ids]
        result["decodings"].append(
            {"ids": ids, "decoded": decode(tokenizer, ids, False),
             "skipped": decode(tokenizer, ids, True)})
    if with_texts:
        emma = (shared / "data/novels/emma-part1.txt").read_bytes().decode()
        lines = (shared / "data/tinystories-valid/stories.jsonl").read_text().splitlines()
        stories = [json.loads(line)["text"] for line in lines]
        result["emma"] = digest(encode(emma))
        result["emma_start"] = digest(encode(emma[:20000]))
        result["stories"] = [digest(encode(story)) for story in stories[:10]]
        every = [encode(story) for story in stories]
        result["all_stories"] = digest([number for ids in every for number in ids])
        # Tokens that the perplexity protocol predicts: the start id in front, 257 ids kept.
        result["predicted"] = sum(min(256, len(ids)) for ids in every)
    return result


def dump(value):
    return json.dumps(value, separators=(",", ":"))


def write(name, value):
    """One line for each element of the outer lists, so that changes can be read."""
    lines = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            rows = ",\n".join("  " + dump(row) for row in item)
            lines.append(f"{json.dumps(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{json.dumps(key)}: {dump(item)}")
    (golden / f"{name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def trained(tokenizer, size, alphabet, special=()):
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(PROSE.split("\n") * 2, trainer)


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def add_tokens(tokenizer):
    tokenizer.add_tokens([
        AddedToken("[LEFT]", lstrip=True, normalized=False), AddedToken("[RIGHT]", rstrip=True, normalized=False),
        AddedToken("word", single_word=True, normalized=False), AddedToken("nai\u0308ve", normalized=True),
        AddedToken("[GAP]", normalized=False), AddedToken("    ", normalized=False)])
    tokenizer.add_special_tokens([
        AddedToken("[MASK]", lstrip=True), AddedToken("[BOTH]", lstrip=True, rstrip=True), "<s>", "</s>"])


def byte_level(splits, prefix=False, nfc=False, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    steps = [pre_tokenizers.Split(Regex(split), "isolated") for split in splits]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=not splits))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trained(tokenizer, 340, sorted(pre_tokenizers.ByteLevel.alphabet()))
    add_tokens(tokenizer)
    start, end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(
            single="<s> $A </s>", pair="$A $B", special_tokens=[("<s>", start), ("</s>", end)])])
    return tokenizer


def with_spaces(bytes_kept, fuse, stop, plain=False, ignore_merges=False):
    """The Llama kind: spaces as U+2581, and the bytes of `bytes_kept` as pieces."""
    pieces = [f"<0x{byte:02X}>" for byte in bytes_kept]
    tokenizer = Tokenizer(models.BPE(
        unk_token="<unk>", fuse_unk=fuse, byte_fallback=bool(pieces), ignore_merges=ignore_merges))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    trained(tokenizer, 230 + len(pieces), list("abcdefghijklmnopqrstuvwxyz"), ["<unk>", "<s>", "</s>"] + pieces)
    if not plain:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
        tokenizer.decoder = decoders.Sequence([
            decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
            decoders.Strip(" ", 1, stop)])
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    # Training takes byte pieces for special tokens; here they belong to the model alone.
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [t for t in document["added_tokens"] if t["content"] not in pieces]
    return Tokenizer.from_str(json.dumps(document))


def without_prefix(path):
    """The tokenizer as `legacy: false` uses it: nothing put in front, nothing cut off."""
    document = json.loads(path.read_text())
    steps = document["normalizer"]["normalizers"]
    document["normalizer"]["normalizers"] = [step for step in steps if step["type"] != "Prepend"]
    steps = document["decoder"]["decoders"]
    document["decoder"]["decoders"] = [step for step in steps if step["type"] != "Strip"]
    return Tokenizer.from_str(json.dumps(document))


def main():
    golden.mkdir(exist_ok=True)
    strings = random_strings(300)
    (golden / "texts.json").write_text(
        '{"tricky": [\n' + ",\n".join(map(dump, TRICKY)) + '\n], "random": [\n'
        + ",\n".join(map(dump, strings)) + "\n]}\n")
    tiny = {
        "tiny-gpt2": byte_level([], nfc=True),
        "tiny-gpt2-prefix": byte_level([], prefix=True),
        "tiny-gpt2-split": byte_level([GPT2]),
        "tiny-llama3": byte_level([SPLIT % "{1,3}"], ignore_merges=True),
        "tiny-qwen2": byte_level([SPLIT % ""], nfc=True),
        "tiny-llama": with_spaces(range(256), True, 0),
        "tiny-some-bytes": with_spaces(range(0x80, 0x100), True, 2),
        "tiny-unknown": with_spaces([], False, 0, plain=True, ignore_merges=True),
    }
    for name, tokenizer in tiny.items():
        folder = golden / name
        folder.mkdir(exist_ok=True)
        (folder / "tokenizer.json").write_text(tokenizer.to_str() + "\n")
        write(name, describe(tokenizer, False, strings))
    if not shared.is_dir():
        sys.exit(f"{shared} is not there: only the small tokenizers were written")
    real = {name: shared / "models" / name for name in
            ["stories260k", "tinystories-656k", "novels-mamba-600k", "novels-mamba-4m"]}
    real |= {name: shared / "data" / name for name in ["tokenizer-gpt2", "tokenizer-gpt-neox-20b"]}
    for name, folder in real.items():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        write(name, describe(tokenizer, True, strings))
    write("tinystories-656k.legacy-false",
          describe(without_prefix(real["tinystories-656k"] / "tokenizer.json"), True, strings))


main()

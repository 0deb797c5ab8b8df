/// Errors of pipelines, schemes and options.
let pipelineMessages: [MessageCase] = [
  MessageCase(
    "unknown pass",
    model: #"""
      irc: 1
      source: tiny
      pipeline: [fold-norm-gain, quantise: {scheme: w8a8}, frobnicate]

      """#,
    #"""
    model.yaml:3:12: error: unknown pass 'fold-norm-gain' [passes.unknown]
     3 | pipeline: [fold-norm-gain, quantise: {scheme: w8a8}, frobnicate]
       |            ^~~~~~~~~~~~~~
      hint: did you mean 'fold-norm-gains'?
    model.yaml:3:28: error: unknown pass 'quantise' [passes.unknown]
     3 | pipeline: [fold-norm-gain, quantise: {scheme: w8a8}, frobnicate]
       |                            ^~~~~~~~
      hint: did you mean 'quantize'?
    model.yaml:3:54: error: unknown pass 'frobnicate' [passes.unknown]
     3 | pipeline: [fold-norm-gain, quantise: {scheme: w8a8}, frobnicate]
       |                                                      ^~~~~~~~~~
      hint: passes: emit-c, fold-norm-gains, lower-kernels, quantize
    """#),
  MessageCase(
    "unknown option",
    model: #"""
      irc: 1
      source: tiny
      pipeline: [quantize: {scheme: w8a8, clip_shar: 0.1}, lower-kernels: {x: 1}]

      """#,
    #"""
    model.yaml:3:37: error: pass 'quantize' has no option 'clip_shar' [options.unknown-key]
     3 | pipeline: [quantize: {scheme: w8a8, clip_shar: 0.1}, lower-kernels: {x: 1}]
       |                                     ^~~~~~~~~
      hint: did you mean 'clip_share'?
    model.yaml:3:70: error: pass 'lower-kernels' has no option 'x' [options.unknown-key]
     3 | pipeline: [quantize: {scheme: w8a8, clip_shar: 0.1}, lower-kernels: {x: 1}]
       |                                                                      ^
      hint: it has no options
    """#),
  MessageCase(
    "options",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize:
            scheme: w8a9
            clip_share: 0.7
            rounds: 1.5
            prescale: yes
            rounding: nearst
            include: {}
            label: []


      """#,
    #"""
    model.yaml:5:15: error: unknown scheme 'w8a9' [scheme.unknown]
     5 |       scheme: w8a9
       |               ^~~~
      hint: did you mean 'w8a8'?
    model.yaml:6:19: error: expected a number from 0.0 to 0.5, found '0.7' [options.range]
     6 |       clip_share: 0.7
       |                   ^~~
    model.yaml:7:15: error: expected a whole number, found '1.5' [options.type]
     7 |       rounds: 1.5
       |               ^~~
    model.yaml:8:17: error: expected true or false, found 'yes' [options.type]
     8 |       prescale: yes
       |                 ^~~
    model.yaml:9:17: error: expected nearest | stochastic, found 'nearst' [options.type]
     9 |       rounding: nearst
       |                 ^~~~~~
      hint: did you mean 'nearest'?
    model.yaml:10:16: error: expected a list (each element a glob over tensor names), found a mapping [options.type]
     10 |       include: {}
        |                ^~
    model.yaml:11:14: error: expected text, found a list [options.type]
     11 |       label: []
        |              ^~
    """#),
  MessageCase(
    "options that exclude each other",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize: {prescale: true, clip_share: 0.1}

      """#,
    #"""
    model.yaml:4:5: error: 'prescale' and 'clip_share' exclude each other [options.constraint]
     4 |   - quantize: {prescale: true, clip_share: 0.1}
       |     ^~~~~~~~
    """#),
  MessageCase(
    "inline scheme",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize: {scheme: {weights: {format: int9, granularity: group}, activations: {formt: int8}, embeddings: {format: int8, size: 33}}}

      """#,
    #"""
    model.yaml:4:43: error: expected int8 | int7 | int6 | int5 | int4 | int3 | int2 | fp8-e4m3 | fp8-e5m2 | fp4 | nf4 | nf4-int8 | log2 | post | post5 | codebook6 | codebook5 | codebook4 | codebook3 | codebook2 | binary4 | binary3 | binary2, found 'int9' [options.type]
     4 |   - quantize: {scheme: {weights: {format: int9, granularity: group}, activations: {formt: int8}, embeddings: {format: int8, size: 33}}}
       |                                           ^~~~
      hint: did you mean 'int8'?
    model.yaml:4:84: error: unknown key 'formt' [options.unknown-key]
     4 |   - quantize: {scheme: {weights: {format: int9, granularity: group}, activations: {formt: int8}, embeddings: {format: int8, size: 33}}}
       |                                                                                    ^~~~~
      hint: did you mean 'format'?
    model.yaml:4:131: error: 'size' goes with granularity 'group' only [options.constraint]
     4 |   - quantize: {scheme: {weights: {format: int9, granularity: group}, activations: {formt: int8}, embeddings: {format: int8, size: 33}}}
       |                                                                                                                                   ^~
      hint: add 'granularity: group'
    """#),
  MessageCase(
    "entry of two keys",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize:
          scheme: w8a8
        - {a: 1, b: 2}
        - [x]
        - include
        - quantize: w8a8
        -

      """#,
    #"""
    model.yaml:4:5: error: an entry is one pass, found 2 keys [pipeline.entry]
     4 |   - quantize:
       |     ^~~~~~~~
      hint: indent the options deeper than 'quantize'
    model.yaml:6:5: error: an entry is one pass, found 2 keys [pipeline.entry]
     6 |   - {a: 1, b: 2}
       |     ^~~~~~~~~~~~
      hint: start each pass with '-'
    model.yaml:7:5: error: expected a pass, found a list [pipeline.entry]
     7 |   - [x]
       |     ^~~
      hint: write '- PASS', '- PASS: {OPTION: VALUE}' or '- include: PIPELINE'
    model.yaml:8:5: error: 'include' needs a value [pipeline.entry]
     8 |   - include
       |     ^~~~~~~
      hint: include: PIPELINE
    model.yaml:9:15: error: expected the options of 'quantize', found 'w8a8' [options.type]
     9 |   - quantize: w8a8
       |               ^~~~
      hint: quantize: {OPTION: VALUE}
    model.yaml:10:4: error: expected a pass, found nothing [pipeline.entry]
     10 |   -
        |    ^
      hint: write '- PASS', '- PASS: {OPTION: VALUE}' or '- include: PIPELINE'
    """#),
  MessageCase(
    "pipeline with an unknown scheme",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a9

      """#,
    #"""
    model.yaml:3:11: error: unknown scheme 'w8a9' [scheme.unknown]
     3 | pipeline: rtn-w8a9
       |           ^~~~~~~~
      hint: did you mean 'w8a8'?
    """#),
  MessageCase(
    "unknown pipeline, one near",
    model: #"""
      irc: 1
      source: tiny
      pipeline: mambaquant-mixd-w4a8

      """#,
    #"""
    model.yaml:3:11: error: unknown pipeline 'mambaquant-mixd-w4a8' [pipeline.unknown]
     3 | pipeline: mambaquant-mixd-w4a8
       |           ^~~~~~~~~~~~~~~~~~~~
      hint: did you mean 'mambaquant-mixed-w4a8'?
    """#),
  MessageCase(
    "unknown pipeline, nothing near",
    model: #"""
      irc: 1
      source: tiny
      pipeline: something-else

      """#,
    #"""
    model.yaml:3:11: error: unknown pipeline 'something-else' [pipeline.unknown]
     3 | pipeline: something-else
       |           ^~~~~~~~~~~~~~
      note: schemes: bcq2a16, bcq3a16, bcq4a16, cb2a16, cb3a16, cb4a16, fp8, mxfp4, mxfp4a8, mxfp8, nf4, nf4a8, nvfp4, nvfp4a8, w2a16, w2a8, w3.25a16, w3a16, w4.25a16, w4.25a8, w4a16, w4a4, w4a8, w4a8-static, w4a8kv8, w5a16, w6a16, w7a16, w8a16, w8a8, w8a8-static, w8a8kv8
      hint: pipelines: awq, fitted, fitted-gptq, float, gptq, lower-and-emit, mambaquant, mambaquant-cpu, mambaquant-mixed, mixed, mr-gptq, quarot, rsq, rtn, smoothquant, svdquant
    """#),
  MessageCase(
    "scheme needed",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn

      """#,
    #"""
    model.yaml:3:11: error: pipeline 'rtn' needs a scheme [pipeline.no-scheme]
     3 | pipeline: rtn
       |           ^~~
      note: '$scheme' is used at @rtn.yaml:5:24
      note: schemes: bcq2a16, bcq3a16, bcq4a16, cb2a16, cb3a16, cb4a16, fp8, mxfp4, mxfp4a8, mxfp8, nf4, nf4a8, nvfp4, nvfp4a8, w2a16, w2a8, w3.25a16, w3a16, w4.25a16, w4.25a8, w4a16, w4a4, w4a8, w4a8-static, w4a8kv8, w5a16, w6a16, w7a16, w8a16, w8a8, w8a8-static, w8a8kv8
      hint: write 'rtn-w8a8'
    """#),
  MessageCase(
    "scheme needed inline",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize: {scheme: $scheme}

      """#,
    #"""
    model.yaml:4:24: error: no scheme was asked for, so '$scheme' has no value [pipeline.no-scheme]
     4 |   - quantize: {scheme: $scheme}
       |                        ^~~~~~~
      note: schemes: bcq2a16, bcq3a16, bcq4a16, cb2a16, cb3a16, cb4a16, fp8, mxfp4, mxfp4a8, mxfp8, nf4, nf4a8, nvfp4, nvfp4a8, w2a16, w2a8, w3.25a16, w3a16, w4.25a16, w4.25a8, w4a16, w4a4, w4a8, w4a8-static, w4a8kv8, w5a16, w6a16, w7a16, w8a16, w8a8, w8a8-static, w8a8kv8
      hint: write 'scheme: NAME' here
    """#),
  MessageCase(
    "scheme not taken",
    model: #"""
      irc: 1
      source: tiny
      pipeline: float-w8a8

      """#,
    #"""
    model.yaml:3:11: error: pipeline 'float' takes no scheme [pipeline.no-scheme]
     3 | pipeline: float-w8a8
       |           ^~~~~~~~~~
      hint: write 'float'
    """#),
  MessageCase(
    "unknown variable",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize: {scheme: $schem}
        - emit: $emits
        - $emit

      """#,
    #"""
    model.yaml:4:24: error: unknown variable '$schem' [pipeline.unknown-variable]
     4 |   - quantize: {scheme: $schem}
       |                        ^~~~~~
      hint: did you mean '$scheme'?
    model.yaml:5:11: error: unknown variable '$emits' [pipeline.unknown-variable]
     5 |   - emit: $emits
       |           ^~~~~~
      hint: did you mean '$emit'?
    model.yaml:6:5: error: expected a pass, found the variable '$emit' [pipeline.entry]
     6 |   - $emit
       |     ^~~~~
    """#),
  MessageCase(
    "unknown exporter",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      emit: [c, cc]

      """#,
    #"""
    model.yaml:4:11: error: unknown exporter 'cc' [passes.unknown]
     4 | emit: [c, cc]
       |           ^~
      hint: did you mean 'c'?
    """#),
  MessageCase(
    "missing pipeline file",
    model: #"""
      irc: 1
      source: tiny
      pipeline: mine.yml.yaml

      """#,
    files: [
      (
        "mine.yaml",
        #"""
        irc: 1

        """#
      )
    ],
    #"""
    model.yaml:3:11: error: cannot read 'mine.yml.yaml': No such file or directory [file.unreadable]
     3 | pipeline: mine.yml.yaml
       |           ^~~~~~~~~~~~~
    """#),
  MessageCase(
    "errors in an included file",
    model: #"""
      irc: 1
      source: tiny
      pipeline: [include: mine.yaml]

      """#,
    files: [
      (
        "mine.yaml",
        #"""
        irc: 1
        sumary: x
        passes:
          - quantize: {rounds: 0}
          - include: lower-and-emi

        """#
      )
    ],
    #"""
    mine.yaml:2:1: error: unknown key 'sumary' [options.unknown-key]
     2 | sumary: x
       | ^~~~~~
      hint: did you mean 'summary'?
    mine.yaml:4:24: error: expected a whole number from 1 to 100, found '0' [options.range]
     4 |   - quantize: {rounds: 0}
       |                        ^
    mine.yaml:5:14: error: unknown pipeline 'lower-and-emi' [pipeline.unknown]
     5 |   - include: lower-and-emi
       |              ^~~~~~~~~~~~~
      hint: did you mean 'lower-and-emit'?
    """#),
  MessageCase(
    "include cycle",
    model: #"""
      irc: 1
      source: tiny
      pipeline: a.yaml

      """#,
    files: [
      (
        "a.yaml",
        #"""
        irc: 1
        passes: [include: b/b.yaml]

        """#
      ),
      (
        "b/b.yaml",
        #"""
        irc: 1
        passes: [include: ../a.yaml]

        """#
      ),
    ],
    #"""
    b/b.yaml:2:19: error: a pipeline includes itself: model.yaml → a.yaml → b/b.yaml → a.yaml [pipeline.include-cycle]
     2 | passes: [include: ../a.yaml]
       |                   ^~~~~~~~~
    """#),
  MessageCase(
    "scheme file",
    model: #"""
      irc: 1
      source: tiny
      pipeline: [quantize: {scheme: ./mine.yaml}]

      """#,
    files: [
      (
        "mine.yaml",
        #"""
        irc: 1
        weights: {format: int4, granularity: group, size: 40}
        activatons: none

        """#
      )
    ],
    #"""
    ./mine.yaml:2:51: error: a group size must be a multiple of 16 [options.constraint]
     2 | weights: {format: int4, granularity: group, size: 40}
       |                                                   ^~
    ./mine.yaml:3:1: error: unknown key 'activatons' [options.unknown-key]
     3 | activatons: none
       | ^~~~~~~~~~
      hint: did you mean 'activations'?
    """#),
  MessageCase(
    "cache of a scheme file",
    model: #"""
      irc: 1
      source: tiny
      pipeline: [quantize: {scheme: ./a.yaml}, quantize: {scheme: ./b.yaml}, quantize: {scheme: ./c.yaml}]

      """#,
    files: [
      ("a.yaml", "irc: 1\nweights: {format: int8}\ncache: {format: int4, granularity: token}\n"),
      ("b.yaml", "irc: 1\nweights: {format: int8}\ncache: {symmetric: false}\n"),
      ("c.yaml", "irc: 1\nweights: {format: int8}\ncache: int8\n"),
    ],
    #"""
    ./a.yaml:3:17: error: expected int8, found 'int4' [options.type]
     3 | cache: {format: int4, granularity: token}
       |                 ^~~~
      hint: did you mean 'int8'?
    ./a.yaml:3:36: error: expected head, found 'token' [options.type]
     3 | cache: {format: int4, granularity: token}
       |                                    ^~~~~
    ./b.yaml:3:8: error: key 'format' is missing [options.missing-key]
     3 | cache: {symmetric: false}
       |        ^~~~~~~~~~~~~~~~~~
      hint: Format of the codes.
    ./b.yaml:3:9: error: unknown key 'symmetric' [options.unknown-key]
     3 | cache: {symmetric: false}
       |         ^~~~~~~~~
      hint: known keys: format, granularity
    ./c.yaml:3:8: error: expected none, or a mapping with keys format, granularity, found 'int8' [options.type]
     3 | cache: int8
       |        ^~~~
    """#),
  MessageCase(
    "an exporter named twice",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      emit: [c, c]

      """#,
    #"""
    model.yaml:4:11: error: exporter 'c' is named twice [pipeline.duplicate-exporter]
     4 | emit: [c, c]
       |           ^
      hint: name each exporter once: its files have one place
    """#),
]

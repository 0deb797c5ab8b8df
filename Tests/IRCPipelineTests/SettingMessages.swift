/// Errors of `--set` arguments.
let settingMessages: [MessageCase] = [
  MessageCase(
    "set: values",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8

      """#,
    settings: [
      "passes.quantize.scheme=w4a17", "target=avx3", "calibration.tokens=7",
      "passes.quantize.rounds=0",
    ],
    #"""
    --set:1:24: error: unknown scheme 'w4a17' [scheme.unknown]
     1 | passes.quantize.scheme=w4a17
       |                        ^~~~~
      hint: did you mean 'w4a16'?
    --set:2:8: error: expected native | portable | avx2 | avx512-vnni | neon, found 'avx3' [options.type]
     2 | target=avx3
       |        ^~~~
      hint: did you mean 'avx2'?
    --set:3:1: error: calibration needs 'text' or 'ids' [model.calibration]
     3 | calibration.tokens=7
       | ^~~~~~~~~~~
      hint: text: FILE.txt
    --set:4:24: error: expected a whole number from 1 to 100, found '0' [options.range]
     4 | passes.quantize.rounds=0
       |                        ^
    """#),
  MessageCase(
    "set: keys",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8

      """#,
    settings: [
      "passes.quantise.scheme=w4a16", "taget=neon", "passes.quantize.roundz=2", "passes.quantize=2",
      "nothing", ".x=1", "target=", "calibration.tokn=5",
    ],
    #"""
    --set:1:8: error: the pipeline has no pass 'quantise' [set.unknown-pass]
     1 | passes.quantise.scheme=w4a16
       |        ^~~~~~~~
      hint: did you mean 'quantize'?
    --set:2:1: error: unknown key 'taget' [options.unknown-key]
     2 | taget=neon
       | ^~~~~
      hint: did you mean 'target'?
    --set:3:17: error: pass 'quantize' has no option 'roundz' [options.unknown-key]
     3 | passes.quantize.roundz=2
       |                 ^~~~~~
      hint: did you mean 'rounds'?
    --set:4:1: error: an option of a pass is written passes.PASS.OPTION=VALUE [set.syntax]
     4 | passes.quantize=2
       | ^~~~~~
    --set:5:1: error: expected KEY=VALUE, found 'nothing' [set.syntax]
     5 | nothing
       | ^~~~~~~
    --set:6:1: error: a key is missing [set.syntax]
     6 | .x=1
       | ^
    --set:7:1: error: a value is missing [options.missing-value]
     7 | target=
       | ^~~~~~
    --set:8:13: error: unknown key 'tokn' [options.unknown-key]
     8 | calibration.tokn=5
       |             ^~~~
      hint: did you mean 'tokens'?
    """#),
  MessageCase(
    "set: syntax",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8

      """#,
    settings: ["emit=[c", "passes.quantize.label=*é"],
    #"""
    --set:1:8: error: expected ',' or ']' [yaml.syntax]
     1 | emit=[c
       |        ^
      note: the list begins at --set:1:6
      hint: is the list closed?
    --set:2:23: error: '*' begins an alias here [yaml.syntax]
     2 | passes.quantize.label=*é
       |                       ^
      hint: quote text that starts with '*'
    """#),
  MessageCase(
    "set: options that do not go together",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8

      """#,
    settings: ["passes.quantize.prescale=true", "passes.quantize.clip_share=0.1"],
    #"""
    --set:1:8: error: 'prescale' and 'clip_share' exclude each other [options.constraint]
     1 | passes.quantize.prescale=true
       |        ^~~~~~~~
      note: pass 'quantize' stands at @rtn.yaml:5:5
    """#),
]

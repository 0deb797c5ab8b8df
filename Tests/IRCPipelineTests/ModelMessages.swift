/// Errors of a model file's own keys.
let modelMessages: [MessageCase] = [
  MessageCase(
    "unknown key",
    model: #"""
      irc: 1
      source: tiny
      pipline: rtn-w8a8

      """#,
    #"""
    model.yaml:3:1: error: unknown key 'pipline' [options.unknown-key]
     3 | pipline: rtn-w8a8
       | ^~~~~~~
      hint: did you mean 'pipeline'?
    """#),
  MessageCase(
    "unknown key, columns count characters",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      calibration: {"text": prose.txt, "naïve ☕ 語": 1, tokns: 5}

      """#,
    #"""
    model.yaml:4:34: error: unknown key 'naïve ☕ 語' [options.unknown-key]
     4 | calibration: {"text": prose.txt, "naïve ☕ 語": 1, tokns: 5}
       |                                  ^~~~~~~~~~~~
      hint: known keys: text, ids, skip, tokens, window, seed
    model.yaml:4:50: error: unknown key 'tokns' [options.unknown-key]
     4 | calibration: {"text": prose.txt, "naïve ☕ 語": 1, tokns: 5}
       |                                                   ^~~~~
      hint: did you mean 'tokens'?
    """#),
  MessageCase(
    "wrong type",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      calibration: {text: prose.txt, tokens: many}
      emit: c

      """#,
    #"""
    model.yaml:4:40: error: expected a whole number from 1 to 1000000000, found 'many' [options.type]
     4 | calibration: {text: prose.txt, tokens: many}
       |                                        ^~~~
    model.yaml:5:7: error: expected a list (each element an exporter), found 'c' [options.type]
     5 | emit: c
       |       ^
    """#),
  MessageCase(
    "out of range",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      calibration: {text: prose.txt, tokens: 0}

      """#,
    #"""
    model.yaml:4:40: error: expected a whole number from 1 to 1000000000, found '0' [options.range]
     4 | calibration: {text: prose.txt, tokens: 0}
       |                                        ^
    """#),
  MessageCase(
    "choice",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      target: avx512

      """#,
    #"""
    model.yaml:4:9: error: expected native | portable | avx2 | avx512-vnni | neon, found 'avx512' [options.type]
     4 | target: avx512
       |         ^~~~~~
      hint: did you mean 'avx512-vnni'?
    """#),
  MessageCase(
    "missing keys",
    model: #"""
      name: x

      """#,
    #"""
    model.yaml:1:1: error: key 'irc' is missing [options.missing-key]
     1 | name: x
       | ^~~~
      hint: Version of the language; write 'irc: 1'.
    model.yaml:1:1: error: key 'source' is missing [options.missing-key]
     1 | name: x
       | ^~~~
      hint: The model: a Hugging Face folder.
    model.yaml:1:1: error: key 'pipeline' is missing [options.missing-key]
     1 | name: x
       | ^~~~
      hint: What to do: a shipped pipeline's name or a path, each with a scheme behind it where it takes one (rtn-w8a8, mine.yaml-w8a8), or the passes themselves.
    """#),
  MessageCase(
    "missing values",
    model: #"""
      irc: 1
      source:
      pipeline: ~

      """#,
    #"""
    model.yaml:2:1: error: a value is missing: expected the path of a folder [options.missing-value]
     2 | source:
       | ^~~~~~
    model.yaml:3:11: error: a value is missing: expected the name or path of a pipeline, or a list [options.missing-value]
     3 | pipeline: ~
       |           ^
    """#),
  MessageCase(
    "version",
    model: #"""
      irc: 2
      source: tiny
      pipeline: rtn-w8a8

      """#,
    #"""
    model.yaml:1:6: error: language version 2 is not known to this compiler [language.version]
     1 | irc: 2
       |      ^
      hint: write 'irc: 1', or use a newer irc
    """#),
  MessageCase(
    "names",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      name: 2 fast

      """#,
    #"""
    model.yaml:4:7: error: '2 fast' cannot name files and C symbols [model.name]
     4 | name: 2 fast
       |       ^~~~~~
      hint: use letters, digits, '-', '_' and '.', a letter first
    """#),
  MessageCase(
    "missing files",
    model: #"""
      irc: 1
      source: tinny
      pipeline: rtn-w8a8
      calibration: {text: prse.txt}

      """#,
    #"""
    model.yaml:2:9: error: there is no folder 'tinny' [file.missing]
     2 | source: tinny
       |         ^~~~~
      hint: did you mean 'tiny'?
    model.yaml:4:21: error: there is no file 'prse.txt' [file.missing]
     4 | calibration: {text: prse.txt}
       |                     ^~~~~~~~
      hint: did you mean 'prose.txt'?
    """#),
  MessageCase(
    "calibration: neither",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      calibration: {tokens: 5}

      """#,
    #"""
    model.yaml:4:14: error: calibration needs 'text' or 'ids' [model.calibration]
     4 | calibration: {tokens: 5}
       |              ^~~~~~~~~~~
      hint: text: FILE.txt
    """#),
  MessageCase(
    "calibration: both",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      calibration: {text: prose.txt, ids: prose.txt}

      """#,
    #"""
    model.yaml:4:37: error: 'text' and 'ids' exclude each other [model.calibration]
     4 | calibration: {text: prose.txt, ids: prose.txt}
       |                                     ^~~~~~~~~
      hint: keep one of them
    """#),
  MessageCase(
    "calibration: kind of file",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      calibration: {text: tiny/config.json}

      """#,
    #"""
    model.yaml:4:21: error: calibration text must be a .txt or .jsonl file, found 'tiny/config.json' [model.calibration]
     4 | calibration: {text: tiny/config.json}
       |                     ^~~~~~~~~~~~~~~~
    """#),
  MessageCase(
    "plugins that are none, and a pass that may be in one of them",
    model: #"""
      irc: 1
      source: tiny
      pipeline: [mystery]
      plugins: [x.so, prose.txt, tiny]

      """#,
    #"""
    model.yaml:4:11: error: there is no plugin 'x.so' [plugin.missing]
     4 | plugins: [x.so, prose.txt, tiny]
       |           ^~~~
      hint: 'irc plugin build FOLDER' makes one of the sources in a folder
    model.yaml:4:17: error: 'prose.txt' is not a shared library [plugin.not-a-library]
     4 | plugins: [x.so, prose.txt, tiny]
       |                 ^~~~~~~~~
      hint: name the file that 'irc plugin build' makes of the plugin's sources
    model.yaml:4:28: error: 'tiny' is a folder, not a plugin [plugin.missing]
     4 | plugins: [x.so, prose.txt, tiny]
       |                            ^~~~
      hint: run 'irc plugin build tiny', and name the file that it makes
    """#),
]

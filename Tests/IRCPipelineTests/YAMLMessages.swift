/// Errors of YAML itself.
let yamlMessages: [MessageCase] = [
  MessageCase(
    "empty file",
    model: "",
    #"""
    model.yaml:1:1: error: there is nothing here [yaml.empty]
     1 |\#u{20}
       | ^
      hint: a file starts with 'irc: 1'
    """#),
  MessageCase(
    "comment only",
    model: #"""
      # nothing

      """#,
    #"""
    model.yaml:1:1: error: there is nothing here [yaml.empty]
     1 | # nothing
       | ^
      hint: a file starts with 'irc: 1'
    """#),
  MessageCase(
    "not a mapping",
    model: #"""
      - irc

      """#,
    #"""
    model.yaml:1:3: error: expected a mapping with keys irc, name, source, calibration, pipeline, target, emit, output, plugins, found a list [options.type]
     1 | - irc
       |   ^~~
    """#),
  MessageCase(
    "tab",
    model: #"""
      irc: 1
      calibration:
      \#ttext: a

      """#,
    #"""
    model.yaml:3:1: error: a tab where spaces must be [yaml.syntax]
     3 | \#ttext: a
       | ^
      hint: indent with spaces
    """#),
  MessageCase(
    "two colons",
    model: #"""
      irc: 1
      source: a: b

      """#,
    #"""
    model.yaml:2:10: error: a ':' where no key can be [yaml.syntax]
     2 | source: a: b
       |          ^
      hint: check the indentation, or quote text that contains ': '
    """#),
  MessageCase(
    "open list",
    model: #"""
      irc: 1
      emit: [c

      """#,
    #"""
    model.yaml:3:1: error: expected ',' or ']' [yaml.syntax]
     3 |\#u{20}
       | ^
      note: the list begins at model.yaml:2:7
      hint: is the list closed?
    """#),
  MessageCase(
    "open mapping",
    model: #"""
      irc: 1
      calibration: {text: a
      name: b

      """#,
    #"""
    model.yaml:3:5: error: expected ',' or '}' [yaml.syntax]
     3 | name: b
       |     ^
      note: the mapping begins at model.yaml:2:14
      hint: is the mapping closed?
    """#),
  MessageCase(
    "open quotes",
    model: #"""
      irc: 1
      name: "x

      """#,
    #"""
    model.yaml:3:1: error: the text ends inside quotes [yaml.syntax]
     3 |\#u{20}
       | ^
      note: the quoted text begins at model.yaml:2:7
      hint: close the quotes
    """#),
  MessageCase(
    "bad escape",
    model: #"""
      irc: 1
      name: "\q"

      """#,
    #"""
    model.yaml:2:8: error: an unknown escape after '\' [yaml.syntax]
     2 | name: "\q"
       |        ^
      note: the quoted text begins at model.yaml:2:7
      hint: use single quotes for a plain '\'
    """#),
  MessageCase(
    "indentation",
    model: #"""
      irc: 1
      source: tiny
       pipeline: rtn

      """#,
    #"""
    model.yaml:3:10: error: a ':' where no key can be [yaml.syntax]
     3 |  pipeline: rtn
       |          ^
      hint: check the indentation, or quote text that contains ': '
    """#),
  MessageCase(
    "key without colon",
    model: #"""
      irc: 1
      source
      pipeline: rtn

      """#,
    #"""
    model.yaml:3:1: error: a key without ':' [yaml.syntax]
     3 | pipeline: rtn
       | ^
      note: the key begins at model.yaml:2:1
      hint: write 'key: value'
    """#),
  MessageCase(
    "at sign",
    model: #"""
      irc: 1
      name: @x

      """#,
    #"""
    model.yaml:2:7: error: text cannot begin with '@' [yaml.syntax]
     2 | name: @x
       |       ^
      hint: put it in quotes
    """#),
  MessageCase(
    "star",
    model: #"""
      irc: 1
      source: tiny
      pipeline:\#u{20}
        - quantize: {include: [*.weight]}

      """#,
    #"""
    model.yaml:4:26: error: '*' begins an alias here [yaml.syntax]
     4 |   - quantize: {include: [*.weight]}
       |                          ^
      hint: quote text that starts with '*'
    """#),
  MessageCase(
    "alias",
    model: #"""
      irc: 1
      name: &a x
      output: *a

      """#,
    #"""
    model.yaml:2:7: error: anchors are not supported [yaml.unsupported]
     2 | name: &a x
       |       ^~~~
      hint: quote text that starts with '&'
    model.yaml:3:9: error: aliases are not supported [yaml.unsupported]
     3 | output: *a
       |         ^~
      hint: write the value out, or quote text that starts with '*'
    """#),
  MessageCase(
    "tag",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      name: !!str x

      """#,
    #"""
    model.yaml:4:7: error: the tag 'tag:yaml.org,2002:str' is not supported: types come from the option [yaml.unsupported]
     4 | name: !!str x
       |       ^~~~~~~
      hint: leave it out, or quote text that starts with '!'
    """#),
  MessageCase(
    "merge",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      <<: {name: x}

      """#,
    #"""
    model.yaml:4:1: error: merge keys are not supported [yaml.unsupported]
     4 | <<: {name: x}
       | ^~
      hint: write the keys out
    """#),
  MessageCase(
    "complex key",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      [a, b]: x

      """#,
    #"""
    model.yaml:4:1: error: a key must be text, found a list [yaml.key]
     4 | [a, b]: x
       | ^~~~~~
    """#),
  MessageCase(
    "two documents",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      ---
      irc: 1

      """#,
    #"""
    model.yaml:4:1: error: a second document begins here [yaml.unsupported]
     4 | ---
       | ^~~
      hint: a file holds one document
    """#),
  MessageCase(
    "too deep",
    model: #"""
      irc: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]

      """#,
    #"""
    model.yaml:1:37: error: more than 32 lists and mappings inside each other [yaml.too-deep]
     1 | irc: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
       |                                     ^
    """#),
  MessageCase(
    "control character",
    model: #"""
      irc: 1
      name: a\#u{7}b

      """#,
    #"""
    model.yaml:2:8: error: a control character [yaml.syntax]
     2 | name: a�b
       |        ^
      hint: remove it
    """#),
  MessageCase(
    "duplicate key",
    model: #"""
      irc: 1
      source: tiny
      pipeline: rtn-w8a8
      source: other

      """#,
    #"""
    model.yaml:4:1: error: key 'source' is there already [yaml.duplicate-key]
     4 | source: other
       | ^~~~~~
      note: the first one is at model.yaml:2:1
    """#),
]

// A pass imports IRCPassKit and nothing else, so everything that a pass may use comes with it.
@_exported public import IRCCodegen
@_exported public import IRCExecution
@_exported public import IRCGraph
@_exported public import IRCOps
@_exported public import IRCQuant
@_exported public import IRCSupport
@_exported public import IRCTensor

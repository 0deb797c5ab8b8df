public import IRCPassKit

/// An average number of bits for each weight.
public struct AverageBits: PassOptionValue {
  /// The number.
  public let value: Double

  public static var schema: OptionSchema { .number(1...32) }

  /// States a number from 1 to 32.
  public init(_ value: Double) {
    precondition((1...32).contains(value), "an average of \(value) bits")
    self.value = value
  }

  public init(option: OptionValue) throws {
    value = try Double(option: option)
    guard (1...32).contains(value) else {
      throw DiagnosticList(
        option.span.error(
          "options.range", "expected \(Self.schema.description), found \(option.summary)"))
    }
  }

  public var optionText: String { value.optionText }
}

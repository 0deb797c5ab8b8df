import CKernels
import IRCPassKit
import IRCQuant
import IRCTensor

/// What is to be made sure of before numbers that a stranger computed become part of a model.
extension QuantizationSpec {
  /// Complains of codes, i8, that the format does not have.
  func check(_ codes: Tensor, of name: String, _ what: String = "code") throws {
    let (low, high) = codeBounds
    let places = (format.tableValues ?? []).enumerated().filter { !$0.element.isFinite }
      .map(\.offset)
    let wrong = unsafe codes.withElements(as: Int8.self) { codes in
      unsafe codes.firstIndex { code in
        let number = Int32(code)
        if number < low || number > high { return true }
        return !places.isEmpty && places.contains(Int(number) & ((1 << format.bits) - 1))
      }
    }
    guard let wrong else { return }
    let code = codes.array(of: Int8.self)[wrong]
    let (row, column) = (wrong / max(1, codes.columns), wrong % max(1, codes.columns))
    throw PassError.misuse(
      "\(what) \(code) of '\(name)' at [\(row), \(column)] is none of format \(format), whose codes go from \(low) to \(high)"
        + (places.isEmpty ? "" : " and are not those of infinities and NaNs"))
  }

  /// Lowest and highest code.
  var codeBounds: (Int32, Int32) {
    if !format.isInteger { return (-(1 << (format.bits - 1)), (1 << (format.bits - 1)) - 1) }
    var bounds: (Int32, Int32) = (0, 0)
    unsafe irc_code_bounds(&bounds.0, &bounds.1, UInt32(format.bits), isSymmetric)
    return bounds
  }

  /// Complains of scales, f32, that are none or that the format of scales cannot hold.
  func check(scales: Tensor, of name: String) throws {
    let elements = scales.array(of: Float.self)
    if let wrong = elements.firstIndex(where: { !$0.isFinite || (!format.isFitted && $0 < 0) }) {
      throw PassError.misuse("scale \(wrong) of '\(name)' is \(elements[wrong])")
    }
    var packed = [UInt8](repeating: 0, count: 4 * max(1, elements.count))
    let wrong: Int
    switch scaleFormat {
    case .f32: return
    case .f16: wrong = elements.firstIndex { Float(Float16($0)) != $0 } ?? elements.count
    case .e8m0, .e8m0Floor:
      wrong = unsafe irc_pack_scales(&packed, elements, elements.count, IRC_SCALE_E8M0, 0)
    case .e4m3:
      let common = unsafe irc_common_tensor_scale(elements, elements.count)
      wrong =
        common > 0
        ? unsafe irc_pack_scales(&packed, elements, elements.count, IRC_SCALE_E4M3, common) : 0
    }
    guard wrong < elements.count else { return }
    throw PassError.misuse(
      "scale \(wrong) of '\(name)', \(elements[wrong]), cannot be stored as \(scaleFormat.rawValue)"
    )
  }
}

extension NumericFormat {
  /// The values of all codes of a table format.
  fileprivate var tableValues: [Float]? {
    if case .table(let format) = self { format.values } else { nil }
  }
}

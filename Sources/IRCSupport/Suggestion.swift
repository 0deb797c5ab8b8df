/// The candidate nearest to a misspelt word, or nil when none is near enough to suggest.
///
/// Distance is Damerau–Levenshtein (adjacent transpositions count one); a third of the word may differ.
/// Ties go to the candidate that comes first. What only one candidate begins with stands for that, whatever else is near.
public func nearestMatch(to word: String, in candidates: some Sequence<String>) -> String? {
  let candidates = Array(candidates)
  let longer = candidates.filter { $0.lowercased().hasPrefix(word.lowercased()) }
  if word.count >= 3, longer.count == 1 { return longer[0] }
  let limit = max(1, (word.count + 2) / 3)
  var best: (candidate: String, distance: Int)?
  for candidate in candidates {
    let distance = editDistance(word.lowercased(), candidate.lowercased())
    if distance <= limit, distance < (best?.distance ?? .max) { best = (candidate, distance) }
  }
  return best?.candidate
}

/// Optimal string alignment distance between two words, in characters.
func editDistance(_ first: String, _ second: String) -> Int {
  let (a, b) = (Array(first), Array(second))
  if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for i in 1...a.count {
    var row = [Int](repeating: 0, count: b.count + 1)
    row[0] = i
    for j in 1...b.count {
      let substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
      row[j] = min(last[j] + 1, row[j - 1] + 1, substitution)
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        row[j] = min(row[j], beforeLast[j - 2] + 1)
      }
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}

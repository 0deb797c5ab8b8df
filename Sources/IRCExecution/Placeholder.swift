public struct ValueStatistics: Sendable {}

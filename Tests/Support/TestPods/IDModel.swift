/// Which id an acting call means, by the rule and over plain lists: what random histories are compared with.
public struct IDModel: Sendable {
    /// What a call means.
    public enum Meaning: Equatable, Sendable {
        case id(String), nothing, ambiguous
    }

    public private(set) var sandboxes: Set<String> = []
    /// Each container's sandbox.
    public private(set) var containers: [String: String] = [:]
    private var isMarked = false

    public init() {}

    public mutating func register(_ sandbox: String) {
        sandboxes.insert(sandbox)
        note(sandbox)
    }

    public mutating func register(container: String, into sandbox: String) {
        containers[container] = sandbox
        note(container)
    }

    public mutating func remove(_ sandbox: String) {
        sandboxes.remove(sandbox)
        containers = containers.filter { $0.value != sandbox }
    }

    public mutating func remove(container: String) { containers[container] = nil }

    public func sandbox(meantBy text: String) -> Meaning { meaning(text, sandboxes) }
    public func container(meantBy text: String) -> Meaning { meaning(text, Set(containers.keys)) }

    private mutating func note(_ id: String) {
        if id.count < 64, id.allSatisfy(\.isHexDigit) { isMarked = true }
    }

    private func meaning(_ text: String, _ ids: Set<String>) -> Meaning {
        if ids.contains(text) { return .id(text) }
        guard !isMarked, (12...63).contains(text.count), text.allSatisfy(Self.digits.contains) else { return .nothing }
        let longer = ids.filter { $0.hasPrefix(text) }
        guard let whole = longer.first(where: { $0.count == 64 && $0.allSatisfy(Self.digits.contains) }) else {
            return .nothing
        }
        return longer.count == 1 ? .id(whole) : .ambiguous
    }

    private static let digits = "0123456789abcdef"

    /// Ids that begin like each other: of digits and others, of 1 to 65 characters.
    public static func ids(_ random: inout some RandomNumberGenerator) -> [String] {
        func digits(_ count: Int) -> String {
            String((0..<count).map { _ in Self.digits.randomElement(using: &random) ?? "0" })
        }
        let first = digits(64)
        let wholes = [first] + [5, 12, 13, 40, 63].map { first.prefix($0) + digits(64 - $0) }
        let parts = wholes.flatMap { whole in [1, 2, 11, 12, 13, 32, 63].map { String(whole.prefix($0)) } }
        let odd = ["web-1", "web-10", "web-1.a", "w", "\(first.prefix(12))g", "\(first.prefix(20))-1", "\(first)0"]
        return wholes + Set(parts).sorted() + odd + ["ABC", "ABCDEF012345"]
    }

    /// Whether registering it ends that beginnings stand for ids.
    public static func isShortHex(_ id: String) -> Bool { id.count < 64 && id.allSatisfy(\.isHexDigit) }
}

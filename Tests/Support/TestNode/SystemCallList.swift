internal import Foundation

/// A file of `policy/seccomp`, with what it includes; the form is explained in `broker.list`.
public struct SystemCallList: Sendable {
    public enum Action: String, Sendable { case allow, only, absent, kill }

    /// What an argument is compared with; `value` is nil for the address of the one empty path.
    public struct Condition: Sendable {
        public var argument: Int
        public var mask: UInt64
        public var value: UInt64?
    }

    public struct Entry: Sendable {
        public var action: Action
        public var call: String
        /// Whether only x86-64 has the call.
        public var isX86Only: Bool
        public var conditions: [Condition]
        public var reason: String

        /// What becomes of the call where every argument is -1.
        public func action(rest: Action) -> Action {
            if conditions.allSatisfy({ $0.value == $0.mask }) { return action == .only ? .allow : action }
            return action == .only ? .kill : rest
        }
    }

    /// What becomes of a call that no entry is about; nil in a list that is only included.
    public private(set) var rest: Action?
    public private(set) var entries: [Entry] = []

    public static let directory =
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../policy/seccomp").standardized
        .path()

    public struct BadLine: Error {
        let file: String
        let line: String
    }

    public init(named name: String) throws {
        for line in try String(contentsOfFile: Self.directory + "/" + name, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("#") { continue }
            let bad = BadLine(file: name, line: "\(line)")
            let parts = line.split(separator: " # ", maxSplits: 1)
            let words = parts[0].split(separator: " ").map(String.init)
            guard words.count > 1 else { throw bad }
            switch (words[0], parts.count) {
            case ("default", 1):
                guard rest == nil, words.count == 2, let action = Action(rawValue: words[1]), action != .only else {
                    throw bad
                }
                rest = action
            case ("include", 1):
                guard words.count == 2 else { throw bad }
                entries += try SystemCallList(named: words[1]).entries
            case (let word, 2):
                guard let action = Action(rawValue: word), words[1].wholeMatch(of: /[a-z0-9_]+/) != nil else {
                    throw bad
                }
                let isX86Only = words.dropFirst(2).first == "x86-64"
                let conditions = try words.dropFirst(isX86Only ? 3 : 2).map { word in
                    guard let condition = Condition(word) else { throw bad }
                    return condition
                }
                entries.append(
                    Entry(
                        action: action, call: words[1], isX86Only: isX86Only, conditions: conditions,
                        reason: String(parts[1])))
            default: throw bad
            }
        }
    }
}

extension SystemCallList.Condition {
    fileprivate init?(_ word: String) {
        guard
            let parts = word.wholeMatch(
                of: /arg([0-5])(?:&(0x[0-9a-f]+|[0-9]+))?=(0x[0-9a-f]+|[0-9]+|EMPTY-PATH)/)
        else { return nil }
        argument = Int(parts.1) ?? 0
        mask = parts.2.flatMap(Self.number) ?? .max
        value = Self.number(parts.3)
    }

    private static func number(_ text: Substring) -> UInt64? {
        text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
    }
}

internal import GRDB

/// Which beginnings of ids are accepted in place of whole ids. A whole id always takes precedence over longer ids.
///
/// A caller that stores ids may name a sandbox that was removed long ago, which must not select a longer id with the
/// same beginning. A beginning is therefore accepted only where no whole id can look like one: among ids of 64
/// lowercase hexadecimal digits, as runtimes generate them, on a node where no shorter id of hexadecimal digits was
/// ever registered.
public enum Beginnings: Sendable {
    /// No beginnings: the text is a whole id.
    case none
    /// For operations that change something, called by people and by programs: 12 to 63 lowercase hexadecimal digits of
    /// a 64-digit id.
    case forActing
    /// For operations that only read, called by people and by programs: the same, from the first digit on.
    case forLooking
    /// Any beginning that only one id has: only for asking which id somebody means.
    case any

    /// Whether a text can be such a beginning at all.
    fileprivate func take(_ text: String) -> Bool {
        switch self {
        case .none: false
        case .forActing: 12...63 ~= text.utf8.count && text.utf8.allSatisfy(RecordRules.isLowercaseHexDigit)
        case .forLooking: text.utf8.count <= 63 && text.utf8.allSatisfy(RecordRules.isLowercaseHexDigit)
        case .any: true
        }
    }

    /// Whether these beginnings stand for 64-digit ids only.
    fileprivate var areOfDigits: Bool { self == .forActing || self == .forLooking }
}

/// A fact about a registry that stays true for ever.
enum Mark: String {
    /// An id of a sandbox or a container that consists of 1 to 63 hexadecimal digits was registered once.
    case shortHexID = "short-hex-id"
}

extension Registry {
    /// The sandbox with this id; nil if there is none. Throws `.invalidID` if no sandbox can have the id, or if it is
    /// empty.
    public func sandbox(_ id: String) throws(RegistryError) -> Sandbox? { try resolve(id, .none) }

    /// The sandbox that a text stands for: the one with this id, or the only one whose id has this beginning.
    ///
    /// - Returns: nil if there is none; otherwise compare its id with the text, and say which sandbox was meant.
    /// - Throws: `.invalidID` if no id can have this beginning, or if the text is empty; `.ambiguous` if several ids
    ///   have it.
    public func resolve(_ text: String, _ beginnings: Beginnings) throws(RegistryError) -> Sandbox? {
        if let problem = RecordRules.problem(id: text) { throw .invalidID(text, problem: problem) }
        return try read { database in
            if let sandbox = try Self.sandbox(text, database) { return sandbox }
            let id = try Self.only(Self.sandboxIDs, text, beginnings, database)
            return try id.flatMap { try Self.sandbox($0, database) }
        }
    }

    /// The workload container with this id, and its sandbox; nil if there is none. Infra containers are not found,
    /// because they come and go with their sandboxes. Throws as `sandbox(_:)` does.
    public func container(_ id: String) throws(RegistryError) -> (sandbox: Sandbox, container: Container)? {
        try resolve(container: id, .none)
    }

    /// The workload container that a text stands for, found as `resolve(_:_:)` finds a sandbox.
    public func resolve(
        container text: String, _ beginnings: Beginnings
    ) throws(RegistryError) -> (sandbox: Sandbox, container: Container)? {
        if let problem = RecordRules.problem(id: text) { throw .invalidID(text, problem: problem) }
        let found = try read { database -> (id: String, sandbox: String)? in
            if let sandbox = try Self.sandbox(ofWorkload: text, database) { return (text, sandbox) }
            guard let id = try Self.only(Self.containerIDs, text, beginnings, database) else { return nil }
            return try Self.sandbox(ofWorkload: id, database).map { (id, $0) }
        }
        // The container may have been forgotten between the two transactions; the result is then nil.
        guard let found, let sandbox = try sandbox(found.sandbox),
            let container = try containers(of: sandbox.id).first(where: { $0.id == found.id })
        else { return nil }
        return (sandbox, container)
    }

    /// The sandbox ids with this beginning, in order, at most `maximumCandidates`: to inform a caller that typed a
    /// beginning where a whole id is required.
    public func sandboxIDs(beginning text: String) throws(RegistryError) -> [String] {
        try read { database in try Self.ids(Self.sandboxIDs, text, database) }
    }

    /// Sets the mark if one of these ids, which are being registered, is short: beginnings are then no longer accepted.
    static func noteShortIDs(_ ids: [String], _ database: Database) throws {
        guard ids.contains(where: RecordRules.isShortHexID) else { return }
        try database.perform(
            sql: "INSERT OR IGNORE INTO mark (name) VALUES (?)", arguments: [Mark.shortHexID.rawValue])
    }

    private static let sandboxIDs = "SELECT id FROM sandbox WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    private static let containerIDs = "SELECT id FROM container WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"

    private static func ids(_ query: String, _ text: String, _ database: Database) throws -> [String] {
        // DEL sorts after every character that an id may contain.
        try database.strings(sql: query, arguments: [text, text + "\u{7f}", maximumCandidates])
    }

    /// The only id with this beginning; nil if there is none, or if such beginnings are not accepted.
    private static func only(
        _ query: String, _ text: String, _ beginnings: Beginnings, _ database: Database
    ) throws -> String? {
        guard beginnings.take(text) else { return nil }
        let found = try ids(query, text, database)
        let meant = beginnings.areOfDigits ? found.filter(RecordRules.isWholeHexID) : found
        guard let id = meant.first else { return nil }
        if beginnings.areOfDigits, try isSet(.shortHexID, database) { return nil }
        if found.count > 1 { throw RegistryError.ambiguous(prefix: text, candidates: found) }
        return id
    }

    /// True for a registry of version 1 that can only be read, because it has no marks.
    private static func isSet(_ mark: Mark, _ database: Database) throws -> Bool {
        guard try database.tableExists("mark") else { return true }
        return try database.row(sql: "SELECT 1 FROM mark WHERE name = ?", arguments: [mark.rawValue]) != nil
    }

    private static func sandbox(ofWorkload id: String, _ database: Database) throws -> String? {
        try database.string(sql: "SELECT sandbox FROM container WHERE id = ? AND infra = 0", arguments: [id])
    }
}

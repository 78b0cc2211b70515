internal import GRDB

/// Which beginnings of ids are taken for the ids themselves. An id always stands for itself, before any longer one.
///
/// A caller that keeps ids may name one that was removed long ago, and must not mean a longer one that begins so. Only where no
/// id can look like a beginning is a beginning no id: among ids of 64 lowercase hexadecimal digits, as runtimes give them, on a
/// node where no shorter id of hexadecimal digits was ever registered.
public enum Beginnings: Sendable {
    /// None: the text is an id.
    case none
    /// For what acts, and is called by people and by programs: 12 to 63 lowercase hexadecimal digits of an id of 64.
    case forActing
    /// For what only looks, and is called by people and by programs: the same from the first digit on.
    case forLooking
    /// Any that only one id has: to ask which id somebody means, and nothing else.
    case any

    /// Whether such a text may be a beginning at all.
    fileprivate func take(_ text: String) -> Bool {
        switch self {
        case .none: false
        case .forActing: 12...63 ~= text.utf8.count && text.utf8.allSatisfy(RecordRules.isLowercaseHexDigit)
        case .forLooking: text.utf8.count <= 63 && text.utf8.allSatisfy(RecordRules.isLowercaseHexDigit)
        case .any: true
        }
    }

    /// Whether they begin ids of 64 digits only.
    fileprivate var areOfDigits: Bool { self == .forActing || self == .forLooking }
}

/// What stays true of a registry for ever.
enum Mark: String {
    /// An id of 1 to 63 hexadecimal digits and nothing else was registered once, of a sandbox or a container.
    case shortHexID = "short-hex-id"
}

extension Registry {
    /// The sandbox with this id; nil where there is none. Throws `.invalidID` where no sandbox can have it, also for an empty one.
    public func sandbox(_ id: String) throws(RegistryError) -> Sandbox? { try resolve(id, .none) }

    /// The sandbox that a text means: the one with this id, or the only one whose id begins so.
    ///
    /// - Returns: nil where there is none; else compare its id with the text, and say what was meant.
    /// - Throws: `.invalidID` where no id can begin so, also for an empty text; `.ambiguous` where several do.
    public func resolve(_ text: String, _ beginnings: Beginnings) throws(RegistryError) -> Sandbox? {
        if let problem = RecordRules.problem(id: text) { throw .invalidID(text, problem: problem) }
        return try read { database in
            if let sandbox = try Self.sandbox(text, database) { return sandbox }
            let id = try Self.only(Self.sandboxIDs, text, beginnings, database)
            return try id.flatMap { try Self.sandbox($0, database) }
        }
    }

    /// The workload container with this id, with its sandbox; nil where there is none. Infra containers come and go with their
    /// sandboxes, so none is found. Throws as `sandbox(_:)` does.
    public func container(_ id: String) throws(RegistryError) -> (sandbox: Sandbox, container: Container)? {
        try resolve(container: id, .none)
    }

    /// The workload container that a text means, as `resolve` finds a sandbox.
    public func resolve(
        container text: String, _ beginnings: Beginnings
    ) throws(RegistryError) -> (sandbox: Sandbox, container: Container)? {
        if let problem = RecordRules.problem(id: text) { throw .invalidID(text, problem: problem) }
        let found = try read { database -> (id: String, sandbox: String)? in
            if let sandbox = try Self.sandbox(ofWorkload: text, database) { return (text, sandbox) }
            guard let id = try Self.only(Self.containerIDs, text, beginnings, database) else { return nil }
            return try Self.sandbox(ofWorkload: id, database).map { (id, $0) }
        }
        // It may be forgotten between the transactions: then there is none.
        guard let found, let sandbox = try sandbox(found.sandbox),
            let container = try containers(of: sandbox.id).first(where: { $0.id == found.id })
        else { return nil }
        return (sandbox, container)
    }

    /// The sandboxes' ids that begin so, in order, at most `maximumCandidates`: to tell who typed a beginning where an id is wanted.
    public func sandboxIDs(beginning text: String) throws(RegistryError) -> [String] {
        try read { database in try Self.ids(Self.sandboxIDs, text, database) }
    }

    /// Sets the mark where one of these ids, which are being registered, ends that beginnings stand for ids.
    static func noteShortIDs(_ ids: [String], _ database: Database) throws {
        guard ids.contains(where: RecordRules.isShortHexID) else { return }
        try database.perform(
            sql: "INSERT OR IGNORE INTO mark (name) VALUES (?)", arguments: [Mark.shortHexID.rawValue])
    }

    private static let sandboxIDs = "SELECT id FROM sandbox WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    private static let containerIDs = "SELECT id FROM container WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"

    private static func ids(_ query: String, _ text: String, _ database: Database) throws -> [String] {
        // DEL sorts after everything that an id may have.
        try database.strings(sql: query, arguments: [text, text + "\u{7f}", maximumCandidates])
    }

    /// The one id that begins so, where such beginnings are taken.
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

    /// Also where a registry of version 1 can only be read: that has no marks.
    private static func isSet(_ mark: Mark, _ database: Database) throws -> Bool {
        guard try database.tableExists("mark") else { return true }
        return try database.row(sql: "SELECT 1 FROM mark WHERE name = ?", arguments: [mark.rawValue]) != nil
    }

    private static func sandbox(ofWorkload id: String, _ database: Database) throws -> String? {
        try database.string(sql: "SELECT sandbox FROM container WHERE id = ? AND infra = 0", arguments: [id])
    }
}

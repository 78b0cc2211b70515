internal import GRDB
internal import LinuxSystem

/// Why the registry could not do something. Nothing was changed.
///
/// A later release may add cases; a `switch` outside of podreap needs a `default`.
public enum RegistryError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What a name or an id belongs to.
    public enum Kind: String, Sendable { case sandbox, container }

    /// The registry's directory does not exist.
    case noDirectory(path: String, directory: String)
    /// This process is root, and other users control what is in the registry's directory, or where the path to it
    /// leads.
    case exposed(path: String, problem: String)
    /// The path names something that is not a regular file.
    case notAFile(path: String)
    /// A file or its directory cannot be written; `errno` is 0 if only SQLite knows the reason.
    case notWritable(path: String, errno: Int32)
    /// Not a database, or a damaged one.
    case corrupt(path: String, detail: String)
    /// The file was moved, deleted or replaced while this process had it open.
    case replaced(path: String)
    /// A SQLite database of another program.
    case foreign(path: String)
    /// Written by a later podreap.
    case newerSchema(path: String, found: Int, known: Int)
    /// Another process kept the registry locked until the deadline, or for longer than `Registry.busyTimeout`.
    case busy(path: String)
    /// No space is left for the registry.
    case full(path: String)
    /// Any other failure of SQLite or of the file beneath it.
    case failed(path: String, detail: String)

    /// No sandbox or container can have this id.
    case invalidID(String, problem: String)
    /// Several sandboxes' ids have this beginning; at most `Registry.maximumCandidates` of them are listed.
    case ambiguous(prefix: String, candidates: [String])
    case unknownSandbox(id: String)
    /// A field of a record breaks a rule; `field` is its path in the registration document.
    case invalidRecord(field: String, problem: String)
    /// The id is already registered, in that pod.
    case idHeld(Kind, id: String, pod: String)
    /// The name is reserved by the sandbox or container `holder`.
    case nameHeld(Kind, name: String, holder: String)
    /// The path is, contains, or lies beneath a path that another sandbox's removal will delete.
    case pathHeld(path: String, by: String, holder: String)
    /// Nothing can be registered into this sandbox any more.
    case beingRemoved(id: String)
    /// The sandbox has no namespace that is pinned at this path.
    case unknownNamespace(path: String, sandbox: String)
    /// The sandbox still has these workload containers and cannot be forgotten.
    case containersLeft(sandbox: String, containers: [String])

    public var description: String {
        switch self {
        case .noDirectory(let path, let directory):
            "the registry \(path) cannot be made: there is no directory \(directory); make it, owned by podreap's user"
        case .exposed(let path, let problem): "root does not open the registry \(path): \(problem)"
        case .notAFile(let path): "the registry \(path) is not a regular file; give the path of a file"
        case .notWritable(let path, let errno): Self.description(ofRefusal: errno, at: path)
        case .corrupt(let path, let detail):
            """
            the registry \(path) is damaged or not a database (\(detail)); move it and its -wal and -shm files away, \
            start podreapd again, and register the pods again (podreap discover | podreap register -)
            """
        case .replaced(let path):
            """
            the registry \(path) was moved, deleted or replaced while this process had it open, so that nothing more is \
            read from it or written to it; start this process again (systemctl restart podreapd)
            """
        case .foreign(let path): "\(path) is another program's database; give the path of podreap's registry"
        case .newerSchema(let path, let found, let known):
            """
            the registry \(path) has schema \(found), and this podreap knows schemas up to \(known); \
            use the podreap that wrote it, or a later one
            """
        case .busy(let path): "the registry \(path) was kept locked by another process; try again"
        case .full(let path): "the registry \(path) cannot be written: no space is left on its filesystem; free some"
        case .failed(let path, let detail): "the registry \(path) failed: \(detail)"
        // Some problems begin with the id already, quoted and possibly shortened.
        case .invalidID(let id, let problem):
            "invalid id: " + (problem.hasPrefix("\"") ? problem : "\(RecordRules.quoted(id)) \(problem)")
        case .ambiguous(let prefix, let candidates):
            "the id \(prefix) is ambiguous; it could be \(Self.list(candidates, of: Registry.maximumCandidates))"
        case .unknownSandbox(let id): "no sandbox \(id) is registered"
        case .invalidRecord(let field, let problem): "\(field): \(problem)"
        case .idHeld(let kind, let id, let pod):
            "the \(kind) \(id) is registered already, in the pod \(RecordRules.quoted(pod)); remove it first"
        case .nameHeld(let kind, let name, let holder):
            "the name \(RecordRules.quoted(name)) is held by the \(kind) \(holder); remove it first"
        case .pathHeld(let path, let other, let holder):
            "the path \(path) overlaps with \(other), which belongs to the sandbox \(holder); remove that sandbox first"
        case .beingRemoved(let id): "the sandbox \(id) is being removed; nothing can be registered into it"
        case .unknownNamespace(let path, let sandbox): "the sandbox \(sandbox) has no namespace at \(path)"
        case .containersLeft(let sandbox, let containers):
            "the sandbox \(sandbox) still has containers: \(Self.list(containers, of: Registry.maximumCandidates))"
        }
    }

    /// A list of exactly `limit` ids may have been cut, so it ends with an ellipsis.
    private static func list(_ ids: [String], of limit: Int) -> String {
        ids.prefix(limit).joined(separator: ", ") + (ids.count >= limit ? ", …" : "")
    }

    private static func description(ofRefusal errno: Int32, at path: String) -> String {
        switch Errno(errno) {
        case .readOnlyFilesystem: "\(path) cannot be written: its filesystem is mounted read-only"
        case .access:
            "\(path) cannot be written by this user; run podreap as the registry's owner, or give it to this user"
        case .notPermitted: "\(path) cannot be written: it is immutable (see chattr(1))"
        case Errno(0): "\(path) cannot be written: it is read-only"
        default: "\(path) cannot be written (errno \(errno))"
        }
    }

    /// Converts what a transaction threw: this module's own error, a record's, or SQLite's
    /// (https://www.sqlite.org/rescode.html).
    init(_ error: any Error, path: String) {
        if let error = error as? RecordProblem {
            self = .invalidRecord(field: error.field, problem: error.problem)
            return
        }
        guard let error = error as? DatabaseError else {
            self = error as? RegistryError ?? .failed(path: path, detail: "\(error)")
            return
        }
        let detail = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.resultCode {
        case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .corrupt(path: path, detail: detail)
        case .SQLITE_BUSY, .SQLITE_LOCKED: self = .busy(path: path)
        case .SQLITE_FULL: self = .full(path: path)
        case .SQLITE_READONLY, .SQLITE_PERM: self = .notWritable(path: path, errno: 0)
        default: self = .failed(path: path, detail: "\(detail) (SQLite \(error.extendedResultCode.rawValue))")
        }
    }
}

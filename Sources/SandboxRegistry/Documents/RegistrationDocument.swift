public import FoundationEssentials

/// The document that `podreap register` takes and `podreap discover` prints: one sandbox with its containers.
///
/// ```json
/// { "version": 1,
///   "sandbox": {
///     "id": "3f1c…", "metadata": {"name": "web", "namespace": "default", "uid": "9a…", "attempt": 0},
///     "createdAt": "2026-01-02T03:04:05Z",
///     "runtime": "runc", "directory": "/run/pods/3f1c…", "shm": "/run/pods/3f1c…/shm",
///     "namespaces": {"network": "/run/netns/3f1c…", "ipc": "/run/ipcns/3f1c…", "uts": "/run/utsns/3f1c…"},
///     "cgroups": ["/sys/fs/cgroup/pods/crio-3f1c…"], "monitors": [4700],
///     "processLabel": "system_u:system_r:container_t:s0:c1,c2",
///     "mountLabel": "system_u:object_r:container_file_t:s0:c1,c2",
///     "labels": {"app": "web"}, "annotations": {} },
///   "infra": {"id": "3f1c…", "directories": ["/run/containers/3f1c…"]},
///   "containers": [
///     { "id": "77ab…", "metadata": {"name": "app", "attempt": 0}, "createdAt": "2026-01-02T03:04:06Z",
///       "runtime": "crun", "image": "registry.example/web:1", "directories": ["/run/containers/77ab…"],
///       "stopSignal": "SIGTERM", "cgroups": ["/sys/fs/cgroup/pods/77ab…"], "pid": 4711,
///       "labels": {}, "annotations": {} } ] }
/// ```
///
/// Required fields: `version`; the sandbox's `id`, `metadata` (all of it), `runtime` and `directory`; a container's
/// `id` and `metadata`. An infra container without `metadata` gets the name `POD` and the sandbox's attempt.
/// `createdAt` (RFC 3339) defaults to the current time for a sandbox, and to the sandbox's for a container; a
/// container's `runtime` defaults to the sandbox's; `stopSignal` (a name or a number) defaults to SIGTERM. A namespace
/// without a path is the host's or the infra container's own; so is the shared memory if `shm` is absent. The sandbox's
/// `cgroups` are the pod's own, not its containers', and its `monitors` the processes that wait for its containers
/// (shims, conmon). Missing, duplicate, ill-typed and unknown fields are errors.
public struct RegistrationDocument: Sendable, Equatable {
    /// The version of the document that this module reads and writes.
    public static let version = 1
    /// The longest document, in bytes.
    public static let maximumBytes = 1 << 20

    public var sandbox: Sandbox
    /// The infra container comes first, if there is one.
    public var containers: [Container]

    /// A document of records. Only what a document can express is written: no state, identities, boot id or start
    /// times.
    public init(sandbox: Sandbox, containers: [Container]) {
        self.sandbox = sandbox
        self.containers = containers
    }

    /// Reads one document. `now` is used if `createdAt` is absent. A `pid` becomes a process with start time 0: the
    /// caller that registers it must look at the process to identify it.
    public init(json: Data, now: Date = Date()) throws(DocumentError) {
        guard json.count <= Self.maximumBytes else {
            throw DocumentError("", "the document has \(json.count) bytes; expected at most \(Self.maximumBytes)")
        }
        let value: JSONValue
        do {
            value = try JSONReader.read([UInt8](json))
        } catch {
            let place = "line \(error.line), column \(error.column)"
            throw DocumentError("", "the document is not JSON (\(place)): \(error.problem)")
        }
        try self.init(checking: value, now: now)
    }

    init(checking value: JSONValue, now: Date) throws(DocumentError) {
        try self.init(value, now: now)
        do { try RecordCheck(sandbox, containers).run() } catch { throw DocumentError(error.field, error.problem) }
    }

    /// The document as UTF-8 text with its fields in the order above; equal records give equal bytes. Closed namespaces
    /// are left out.
    public func json() -> Data { Data(value.pretty.utf8) }

    /// The same on one line, with a newline at its end.
    public func line() -> Data { Data((value.compact + "\n").utf8) }
}

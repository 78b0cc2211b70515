import FoundationEssentials

extension RegistrationDocument {
    init(_ value: JSONValue, now: Date) throws(DocumentError) {
        // Reads the version first, because a later version of the document may have fields that this one does not know.
        if case .object(let members) = value, let version = members.first(where: { $0.key == "version" })?.value {
            let number = try DocumentFields.integer(version, in: 1...Int.max, at: "version")
            guard number == Self.version else {
                throw DocumentError("version", "is \(number); expected \(Self.version), the one known to this podreap")
            }
        }
        let fields = try DocumentFields(value, at: "", known: ["version", "sandbox", "infra", "containers"])
        _ = try fields.integer("version", in: 1...Self.version)
        let sandbox = try Sandbox(try fields.required("sandbox", "an object"), now: now)
        var containers: [Container] = []
        if let infra = fields.value("infra") {
            containers.append(try Container(infra, at: "infra", isInfra: true, of: sandbox))
        }
        for (field, value) in try fields.array("containers") {
            containers.append(try Container(value, at: field, isInfra: false, of: sandbox))
        }
        self.init(sandbox: sandbox, containers: containers)
    }
}

extension Sandbox {
    fileprivate init(_ value: JSONValue, now: Date) throws(DocumentError) {
        let fields = try DocumentFields(
            value, at: "sandbox",
            known: [
                "id", "metadata", "createdAt", "runtime", "directory", "shm", "namespaces", "cgroups", "monitors",
                "processLabel", "mountLabel", "labels", "annotations",
            ])
        let metadata = try DocumentFields(
            try fields.required("metadata", "an object"), at: fields.field("metadata"),
            known: ["name", "namespace", "uid", "attempt"])
        self.init(
            id: try fields.string("id"),
            metadata: PodMetadata(
                name: try metadata.string("name"), namespace: try metadata.string("namespace"),
                uid: try metadata.string("uid"), attempt: try metadata.integer("attempt", in: 0...UInt32.max)),
            createdAt: try fields.date("createdAt") ?? now,
            runtime: try fields.string("runtime"),
            directory: try fields.string("directory"),
            shm: try fields.optionalString("shm"),
            namespaces: try Self.namespaces(fields),
            cgroups: try fields.strings("cgroups").map { PodCgroup(path: $0) },
            monitors: try fields.integers("monitors", in: 1...Int32.max)
                .map { ProcessReference(pid: $0, startTime: 0) },
            processLabel: try fields.optionalString("processLabel") ?? "",
            mountLabel: try fields.optionalString("mountLabel") ?? "",
            labels: try fields.map("labels"),
            annotations: try fields.map("annotations"))
    }

    private static func namespaces(_ fields: DocumentFields) throws(DocumentError) -> [NamespacePin] {
        guard let value = fields.value("namespaces") else { return [] }
        let paths = try DocumentFields(
            value, at: fields.field("namespaces"), known: NamespaceKind.allCases.map(\.rawValue))
        var pins: [NamespacePin] = []
        for kind in NamespaceKind.allCases {
            if let path = try paths.optionalString(kind.rawValue) { pins.append(NamespacePin(kind: kind, path: path)) }
        }
        return pins
    }
}

extension Container {
    fileprivate init(
        _ value: JSONValue, at field: String, isInfra: Bool, of sandbox: Sandbox
    ) throws(DocumentError) {
        let fields = try DocumentFields(
            value, at: field,
            known: [
                "id", "metadata", "createdAt", "runtime", "image", "directories", "stopSignal", "cgroups", "pid",
                "labels", "annotations",
            ])
        var name = Container.infraName
        var attempt = sandbox.metadata.attempt
        if !isInfra || fields.value("metadata") != nil {
            let metadata = try DocumentFields(
                try fields.required("metadata", "an object"), at: fields.field("metadata"),
                known: ["name", "attempt"])
            name = try metadata.string("name")
            attempt = try metadata.integer("attempt", in: 0...UInt32.max)
        }
        let pid = try fields.optionalInteger("pid", in: 1...Int32.max)
        self.init(
            id: try fields.string("id"),
            sandboxID: sandbox.id,
            isInfra: isInfra,
            name: name,
            attempt: attempt,
            createdAt: try fields.date("createdAt") ?? sandbox.createdAt,
            runtime: try fields.optionalString("runtime") ?? sandbox.runtime,
            image: try fields.optionalString("image") ?? "",
            directories: try fields.strings("directories").map { Container.Directory(path: $0) },
            stopSignal: try fields.signal("stopSignal") ?? Signal.terminate,
            process: pid.map { ProcessReference(pid: $0, startTime: 0) },
            cgroups: try fields.strings("cgroups"),
            labels: try fields.map("labels"),
            annotations: try fields.map("annotations"))
    }
}

extension DocumentFields {
    fileprivate func date(_ key: String) throws(DocumentError) -> Date? {
        guard let text = try optionalString(key) else { return nil }
        guard let date = Date(rfc3339: text) else {
            let shown = RecordRules.quoted(text)
            throw DocumentError(field(key), "is \(shown); expected a time such as 2026-01-02T03:04:05Z (RFC 3339)")
        }
        return date
    }

    fileprivate func signal(_ key: String) throws(DocumentError) -> UInt8? {
        guard let value = value(key) else { return nil }
        switch value {
        case .number: return try Self.integer(value, in: Signal.range, at: field(key))
        case .string(let name):
            if let number = Signal.number(named: name) { return number }
            let shown = RecordRules.quoted(name)
            throw DocumentError(field(key), "is \(shown); expected a signal such as SIGTERM, or 1 to 64")
        default:
            throw DocumentError(field(key), "is \(value.kind); expected a signal's name or number")
        }
    }
}

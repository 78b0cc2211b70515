import FoundationEssentials

/// A problem in a record, with the field's path in the registration document.
struct RecordProblem: Error, Equatable {
    var field: String
    var problem: String
}

/// The rules for a sandbox and its containers, whether they come from a document or from a caller of the library.
struct RecordCheck {
    let sandbox: Sandbox
    let containers: [Container]
    /// Each container's path in the document.
    private var fields: [String] = []

    init(_ sandbox: Sandbox, _ containers: [Container]) {
        self.sandbox = sandbox
        self.containers = containers
        var workloads = 0
        for container in containers {
            fields.append(container.isInfra ? "infra" : "containers[\(workloads)]")
            if !container.isInfra { workloads += 1 }
        }
    }

    /// Throws the first problem found: in the sandbox, then in its containers, then between them.
    func run() throws(RecordProblem) {
        try checkSandbox()
        try checkContainers()
    }

    /// The same for containers that are added to a registered sandbox.
    func checkContainers() throws(RecordProblem) {
        for (field, container) in zip(fields, containers) { try check(container, field) }
        try rule("infra", containers.count(where: \.isInfra) > 1 ? "is given twice; a pod has one" : nil)
        try unique("id", containers.map(\.id))
        try unique("metadata", containers.map { $0.reservedName(in: sandbox.metadata) })
    }

    private func checkSandbox() throws(RecordProblem) {
        try rule("sandbox.id", RecordRules.problem(id: sandbox.id))
        try rule("sandbox.metadata.name", RecordRules.problem(name: sandbox.metadata.name))
        try rule("sandbox.metadata.namespace", RecordRules.problem(name: sandbox.metadata.namespace))
        try rule("sandbox.metadata.uid", RecordRules.problem(name: sandbox.metadata.uid))
        try rule("sandbox.runtime", RecordRules.problem(runtime: sandbox.runtime))
        try rule("sandbox.directory", RecordRules.problem(path: sandbox.directory))
        if let shm = sandbox.shm { try rule("sandbox.shm", RecordRules.problem(path: shm)) }
        if let boot = sandbox.bootID { try rule("sandbox.bootID", RecordRules.problem(name: boot)) }
        var kinds: [NamespaceKind] = []
        var paths: [String] = []
        for pin in sandbox.namespaces {
            let field = "sandbox.namespaces.\(pin.kind)"
            try rule(field, RecordRules.problem(path: pin.path))
            try rule(field, kinds.contains(pin.kind) ? "is given twice" : nil)
            try rule(field, paths.contains(pin.path) ? "is another namespace's path too" : nil)
            kinds.append(pin.kind)
            paths.append(pin.path)
        }
        for (index, cgroup) in sandbox.cgroups.enumerated() {
            let field = "sandbox.cgroups[\(index)]"
            try rule(field, RecordRules.problem(path: cgroup.path))
            let isTwice = sandbox.cgroups[..<index].contains { $0.path == cgroup.path }
            try rule(field, isTwice ? "is given twice" : nil)
        }
        for (index, monitor) in sandbox.monitors.enumerated() {
            try rule(
                "sandbox.monitors[\(index)]", monitor.pid > 0 ? nil : "is \(monitor.pid); expected a positive number")
        }
        try rule("sandbox.processLabel", Self.problem(context: sandbox.processLabel))
        try rule("sandbox.mountLabel", Self.problem(context: sandbox.mountLabel))
    }

    private func check(_ container: Container, _ field: String) throws(RecordProblem) {
        try rule("\(field).id", RecordRules.problem(id: container.id))
        let elsewhere = "belongs to the sandbox \(RecordRules.quoted(container.sandboxID)); expected \(sandbox.id)"
        try rule("\(field).sandboxID", container.sandboxID == sandbox.id ? nil : elsewhere)
        try rule("\(field).metadata.name", RecordRules.problem(name: container.name))
        try rule("\(field).runtime", RecordRules.problem(runtime: container.runtime))
        try rule("\(field).image", container.image.isEmpty ? nil : Self.problem(image: container.image))
        for (index, directory) in container.directories.enumerated() {
            try rule("\(field).directories[\(index)]", RecordRules.problem(path: directory.path))
        }
        for (index, path) in container.cgroups.enumerated() {
            try rule("\(field).cgroups[\(index)]", RecordRules.problem(path: path))
        }
        let signal = "is \(container.stopSignal); expected a signal from 1 to 64"
        try rule("\(field).stopSignal", Signal.range.contains(container.stopSignal) ? nil : signal)
        if let process = container.process {
            try rule("\(field).pid", process.pid > 0 ? nil : "is \(process.pid); expected a positive number")
        }
    }

    private func unique(_ part: String, _ values: [String]) throws(RecordProblem) {
        var first: [String: String] = [:]
        for (field, value) in zip(fields, values) {
            if let other = first.updateValue(field, forKey: value) {
                throw RecordProblem(field: "\(field).\(part)", problem: "is the same as \(other).\(part)")
            }
        }
    }

    private func rule(_ field: String, _ problem: String?) throws(RecordProblem) {
        if let problem { throw RecordProblem(field: field, problem: problem) }
    }

    private static func problem(image: String) -> String? {
        if image.utf8.count > RecordRules.pathBytes { return "is longer than \(RecordRules.pathBytes) bytes" }
        return RecordRules.hasControl(image) ? "has a control character" : nil
    }

    private static func problem(context: String) -> String? {
        let rule = "; expected an SELinux context user:role:type:level, or an empty string"
        if context.isEmpty { return nil }
        if context.utf8.count > RecordRules.contextBytes { return "is longer than a context can be\(rule)" }
        if RecordRules.hasControl(context) || SELinux.level(ofContext: context) == nil {
            return "\(RecordRules.quoted(context)) is no context\(rule)"
        }
        return nil
    }
}

extension Sandbox {
    /// The SELinux levels of the sandbox's processes and files: one, if both labels have the same level.
    var levels: [String] {
        let levels = [processLabel, mountLabel].compactMap { $0.isEmpty ? nil : SELinux.level(ofContext: $0) }
        return Set(levels).filter { !$0.isEmpty }.sorted()
    }
}

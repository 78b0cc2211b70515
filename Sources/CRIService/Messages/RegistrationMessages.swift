internal import CRIMessages
internal import FoundationEssentials
internal import GRPCCore
internal import SandboxRegistry

// Converts registration messages to records. The content is checked when the records are registered.

extension Sandbox {
    init(_ message: Podreap_V1_PodSandbox) throws(RPCError) {
        let pins: [(NamespaceKind, String)] = [
            (.network, message.networkNamespace), (.ipc, message.ipcNamespace), (.uts, message.utsNamespace),
            (.user, message.userNamespace),
        ]
        self.init(
            id: message.id,
            metadata: PodMetadata(
                name: message.name, namespace: message.namespace, uid: message.uid, attempt: message.attempt),
            createdAt: try date(message.createdAt, "sandbox.created_at") ?? Date(), runtime: message.runtime,
            directory: message.directory, shm: message.shm.isEmpty ? nil : message.shm,
            namespaces: pins.filter { !$0.1.isEmpty }.map { NamespacePin(kind: $0.0, path: $0.1) },
            cgroups: message.cgroups.map { PodCgroup(path: $0) },
            monitors: message.monitors.map { ProcessReference(pid: $0, startTime: 0) },
            processLabel: message.processLabel, mountLabel: message.mountLabel, labels: message.labels,
            annotations: message.annotations)
    }
}

extension Container {
    init(
        _ message: Podreap_V1_Container, _ field: String, isInfra: Bool = false, of sandbox: Sandbox
    ) throws(RPCError) {
        var stopSignal = Signal.terminate
        if !message.stopSignal.isEmpty {
            guard let number = Signal.number(named: message.stopSignal) else {
                throw RPCError(
                    code: .invalidArgument,
                    message: """
                        \(field).stop_signal: is "\(asciiOnly(message.stopSignal))"; expected a signal such as \
                        SIGTERM, or 1 to 64
                        """)
            }
            stopSignal = number
        }
        guard message.pid >= 0 else {
            throw RPCError(
                code: .invalidArgument, message: "\(field).pid: is \(message.pid); expected a process's number, or 0")
        }
        let isUnnamed = isInfra && message.name.isEmpty
        self.init(
            id: message.id, sandboxID: sandbox.id, isInfra: isInfra,
            name: isUnnamed ? Container.infraName : message.name,
            attempt: isUnnamed ? sandbox.metadata.attempt : message.attempt,
            createdAt: try date(message.createdAt, "\(field).created_at") ?? sandbox.createdAt,
            runtime: message.runtime.isEmpty ? sandbox.runtime : message.runtime, image: message.image,
            directories: message.directories.map { Container.Directory(path: $0) }, stopSignal: stopSignal,
            process: message.pid == 0 ? nil : ProcessReference(pid: message.pid, startTime: 0),
            cgroups: message.cgroups, labels: message.labels, annotations: message.annotations)
    }
}

private func date(_ nanoseconds: Int64, _ field: String) throws(RPCError) -> Date? {
    guard nanoseconds >= 0 else {
        throw RPCError(
            code: .invalidArgument, message: "\(field): is \(nanoseconds); expected nanoseconds since 1970, or 0")
    }
    return nanoseconds == 0 ? nil : Date(nanoseconds: nanoseconds)
}

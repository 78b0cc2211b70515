internal import FoundationEssentials

/// The document that `podreap register` takes, version 1, for a sample pod.
struct Registration: Encodable {
    struct Metadata: Encodable {
        var name: String
        var namespace, uid: String?
        var attempt = 0
    }

    struct Sandbox: Encodable {
        var id: String
        var metadata: Metadata
        var runtime = "runc"
        var directory, shm: String
        var namespaces: [String: String]
        var processLabel = ""
        var mountLabel = ""
        var labels: [String: String]
    }

    struct Container: Encodable {
        var id: String
        var metadata: Metadata
        var image = "busybox"
        var directories: [String]
        var stopSignal = "SIGTERM"
        var cgroups: [String]
        var pid: Int32

        init(_ container: SamplePod.Container) {
            id = container.id
            metadata = Metadata(name: container.name)
            directories = [container.directory]
            cgroups = container.cgroups
            pid = container.pid
        }
    }

    var version = 1
    var sandbox: Sandbox
    var infra: Container
    var containers: [Container]
}

/// Readable JSON with its keys in order.
func json(_ value: some Encodable) throws(SampleError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
        throw .program(command: "JSON", reason: "\(error)")
    }
}

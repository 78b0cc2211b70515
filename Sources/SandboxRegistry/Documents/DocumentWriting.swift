import FoundationEssentials

extension RegistrationDocument {
    var value: JSONValue {
        var members = [member("version", JSONValue(Self.version)), member("sandbox", sandbox.documentValue)]
        for infra in containers where infra.isInfra {
            members.append(member("infra", infra.documentValue(in: sandbox)))
        }
        let workloads = containers.filter { !$0.isInfra }
        members.append(member("containers", .array(workloads.map { $0.documentValue(in: sandbox) })))
        return .object(members)
    }
}

extension Sandbox {
    fileprivate var documentValue: JSONValue {
        let name: [JSONValue.Member] = [
            member("name", .string(metadata.name)), member("namespace", .string(metadata.namespace)),
            member("uid", .string(metadata.uid)), member("attempt", JSONValue(metadata.attempt)),
        ]
        var members = [
            member("id", .string(id)), member("metadata", .object(name)),
            member("createdAt", .string(createdAt.rfc3339)), member("runtime", .string(runtime)),
            member("directory", .string(directory)),
        ]
        if let shm { members.append(member("shm", .string(shm))) }
        let pins = NamespaceKind.allCases.flatMap { kind in namespaces.filter { $0.kind == kind && !$0.closed } }
        if !pins.isEmpty {
            members.append(
                member("namespaces", .object(pins.map { member($0.kind.rawValue, .string($0.path)) })))
        }
        if !cgroups.isEmpty { members.append(member("cgroups", .array(cgroups.map { .string($0.path) }))) }
        if !monitors.isEmpty { members.append(member("monitors", .array(monitors.map { JSONValue($0.pid) }))) }
        if !processLabel.isEmpty { members.append(member("processLabel", .string(processLabel))) }
        if !mountLabel.isEmpty { members.append(member("mountLabel", .string(mountLabel))) }
        return .object(members + mapMembers(labels, annotations))
    }
}

extension Container {
    fileprivate func documentValue(in sandbox: Sandbox) -> JSONValue {
        var members = [member("id", .string(id))]
        if !isInfra || name != Container.infraName || attempt != sandbox.metadata.attempt {
            let metadata = [member("name", .string(name)), member("attempt", JSONValue(attempt))]
            members.append(member("metadata", .object(metadata)))
        }
        if createdAt != sandbox.createdAt { members.append(member("createdAt", .string(createdAt.rfc3339))) }
        if runtime != sandbox.runtime { members.append(member("runtime", .string(runtime))) }
        if !image.isEmpty { members.append(member("image", .string(image))) }
        if !directories.isEmpty {
            members.append(member("directories", .array(directories.map { .string($0.path) })))
        }
        members.append(member("stopSignal", Self.documentValue(ofSignal: stopSignal)))
        if !cgroups.isEmpty { members.append(member("cgroups", .array(cgroups.map { .string($0) }))) }
        if let process { members.append(member("pid", JSONValue(process.pid))) }
        return .object(members + mapMembers(labels, annotations))
    }

    private static func documentValue(ofSignal number: UInt8) -> JSONValue {
        let name = Signal.name(of: number)
        return name.hasPrefix("SIG") ? .string(name) : JSONValue(number)
    }
}

private func member(_ key: String, _ value: JSONValue) -> JSONValue.Member {
    JSONValue.Member(key: key, value: value)
}

private func mapMembers(_ labels: [String: String], _ annotations: [String: String]) -> [JSONValue.Member] {
    var members: [JSONValue.Member] = []
    if !labels.isEmpty { members.append(member("labels", JSONValue(labels))) }
    if !annotations.isEmpty { members.append(member("annotations", JSONValue(annotations))) }
    return members
}

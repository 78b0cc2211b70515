extension RequestPacket {
    /// The packet's bytes, in the version that both sides have agreed on, which must be at least the request's.
    public func encoded(version: UInt16 = Limits.oldestVersion) -> [UInt8] {
        var out: [UInt8] = []
        Header(kind: request.kind, requestID: id, last: deadline).encode(to: &out, reply: false, version: version)
        request.encode(to: &out)
        Header.seal(&out)
        return out
    }
}

extension Request {
    /// The first protocol version that has this request.
    public var version: UInt16 {
        switch self {
        case .unmountBeneath, .runtimeKillCgroups, .runtimeKillProcesses, .runtimeForget: 2
        default: 1
        }
    }

    func encode(to out: inout [UInt8]) {
        switch self {
        case .hello(let versions):
            versions.encode(to: &out)
        case .unmount(let place, let intent):
            place.encode(to: &out)
            out.put(intent)
        case .unmountBeneath(let place, let only, let most):
            place.encode(to: &out)
            out.put(UInt8(only == nil ? 3 : 4))
            only?.encode(to: &out)
            out.put(most)
        case .deleteNamespace(let place, let intent):
            place.encode(to: &out)
            out.put(intent)
        case .removeDirectory(let place, let intent):
            place.encode(to: &out)
            intent.encode(to: &out)
        case .runtimeState(let target):
            target.encode(to: &out)
        case .runtimeKill(let target, let intent, let signal, let all):
            target.encode(to: &out)
            out.put(intent)
            out.put(signal)
            out.put(all)
        case .runtimeKillCgroups(let target, let intent, let signal, let cgroups):
            target.encode(to: &out)
            out.put(intent)
            out.put(signal)
            out.put(UInt8(2))
            out.put(UInt8(truncatingIfNeeded: cgroups.count))
            for cgroup in cgroups {
                cgroup.place.encode(to: &out)
                cgroup.identity.encode(to: &out)
                out.put(cgroup.isExclusive)
            }
        case .runtimeKillProcesses(let target, let intent, let signal, let targets):
            target.encode(to: &out)
            out.put(intent)
            out.put(signal)
            out.put(UInt8(3))
            targets.encode(to: &out)
        case .runtimeDelete(let target, let intent):
            target.encode(to: &out)
            out.put(intent)
        case .runtimeForget(let target, let only):
            target.encode(to: &out)
            out.put(UInt8(3))
            only.encode(to: &out)
        case .runtimeList(let runtime):
            out.put(runtime)
        }
    }
}

extension ProcessTargets {
    func encode(to out: inout [UInt8]) {
        place.encode(to: &out)
        identity.encode(to: &out)
        out.put(UInt8(truncatingIfNeeded: processes.count))
        for process in processes {
            out.put(process.pid)
            out.put(process.startTime)
        }
    }
}

extension RuntimeTarget {
    func encode(to out: inout [UInt8]) {
        out.put(runtime)
        out.put(id.bytes)
    }
}

extension DirectoryIntent {
    func encode(to out: inout [UInt8]) {
        switch self {
        case .look(let cursor):
            out.put(UInt8(0))
            out.put(cursor)
        case .act(let only, let slice):
            out.put(UInt8(only == nil ? 1 : 2))
            only?.encode(to: &out)
            slice.encode(to: &out)
        }
    }
}

extension Slice {
    func encode(to out: inout [UInt8]) {
        out.put(entries)
        out.put(index)
        out.put(count)
    }
}

extension [UInt8] {
    mutating func put<Identity: WireIdentity>(_ intent: Intent<Identity>) {
        switch intent {
        case .look: put(UInt8(0))
        case .act(nil): put(UInt8(1))
        case .act(let only?):
            put(UInt8(2))
            only.encode(to: &self)
        }
    }
}

extension Place {
    func encode(to out: inout [UInt8]) {
        out.append(root)
        out.append(UInt8(truncatingIfNeeded: depth))
        var component = InlineBytes<256>()
        for index in 0..<parent.count {
            if parent[index] == slash {
                out.put(component)
                component = InlineBytes()
            } else {
                _ = component.append(parent[index])
            }
        }
        if depth > 1 { out.put(component) }
        if depth > 0 { out.put(name) }
    }
}

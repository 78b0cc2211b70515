internal import HelperProtocol

/// The largest state file that is read, in bytes.
private var stateFileLimit: Int { 4 << 20 }

extension Descriptor {
    /// What this directory, a container's state directory, says about the container. The runtime is not asked.
    func containerFacts(of id: ContainerID) throws(Outcome) -> ContainerFacts {
        let directory = try status().identity
        do throws(Outcome) {
            if let text = try stateFile("state.json") {
                return ContainerFacts(directory: directory, reading: text, as: .runc, of: id)
            }
            if let text = try stateFile("status") {
                return ContainerFacts(directory: directory, reading: text, as: .crun, of: id)
            }
        } catch {
            guard error.errno == ErrorNumber.tooLarge else { throw error }
            return ContainerFacts(directory: directory, state: .notUnderstood)
        }
        return ContainerFacts(directory: directory, state: .absent)
    }

    /// The text of a file in this directory, at most 4 MiB (`EFBIG` if larger); nil if there is no such file.
    func stateFile(_ name: StaticString) throws(Outcome) -> [UInt8]? {
        do throws(Outcome) {
            let file = try open(InlineBytes<32>(name).terminated, .file)
            // Anything but a regular file says no more than an empty file.
            return try file.status().isRegular ? try file.readAll(limit: stateFileLimit) : []
        } catch {
            if error.isMissingEntry { return nil }
            throw error
        }
    }
}

extension ContainerFacts {
    /// Takes all that a state file of runc or crun says, or nothing of it if it is not understood.
    init(directory: NodeIdentity, reading text: [UInt8], as form: State, of id: ContainerID) {
        self.init(directory: directory, state: .notUnderstood)
        var found = self
        do throws(JSON.Damage) {
            var json = JSON(text)
            guard try json.enterObject() else { return }
            if form == .runc { try found.readRunc(&json, id) } else { try found.readCrun(&json) }
            guard try json.token() == nil, found.pid <= UInt32(Int32.max) else { return }
            self = found
        } catch {}
    }

    /// libcontainer's `state.json`.
    fileprivate mutating func readRunc(_ json: inout JSON, _ id: ContainerID) throws(JSON.Damage) {
        var isNamed = false
        while let name = try json.member() {
            if name.equals("id") {
                guard try json.stringValue() == id.bytes.array else { throw JSON.Damage() }
                isNamed = true
            } else if name.equals("init_process_pid") {
                state = .runc
                pid = UInt32(clamping: try json.numberValue())
            } else if name.equals("init_process_start") {
                startTime = try json.numberValue()
            } else if name.equals("cgroup_paths") {
                guard try json.enterObject() else { continue }
                while let controller = try json.member() { try add(controller, try json.stringValue()) }
            } else if name.equals("config") {
                guard try json.enterObject() else { continue }
                while let setting = try json.member() {
                    if setting.equals("labels") { try readLabels(&json) } else { try json.skipValue() }
                }
            } else {
                try json.skipValue()
            }
        }
        guard isNamed, state == .runc else { throw JSON.Damage() }
    }

    /// libcontainer's labels, each `NAME=VALUE`: runc's own one names the bundle.
    private mutating func readLabels(_ json: inout JSON) throws(JSON.Damage) {
        let prefix = text("bundle=")
        guard try json.enterArray() else { return }
        while let label = try json.element() {
            if label.starts(with: prefix) { setBundle(Array(label[prefix.count...])) }
        }
    }

    private mutating func setBundle(_ path: [UInt8]) {
        if path.count <= Limits.bundleBytes { bundle = path }
    }

    /// crun's `status`.
    fileprivate mutating func readCrun(_ json: inout JSON) throws(JSON.Damage) {
        while let name = try json.member() {
            if name.equals("pid") {
                state = .crun
                pid = UInt32(clamping: try json.numberValue())
            } else if name.equals("process-start-time") {
                startTime = try json.numberValue()
            } else if name.equals("cgroup-path") {
                let path = try json.stringValue()
                if !path.isEmpty { try add([], path) }
            } else if name.equals("scope") {
                scope = try json.stringValue()
            } else if name.equals("bundle") {
                setBundle(try json.stringValue())
            } else {
                try json.skipValue()
            }
        }
        guard state == .crun, scope.count <= Limits.componentBytes else { throw JSON.Damage() }
    }

    private mutating func add(_ controller: [UInt8], _ path: [UInt8]) throws(JSON.Damage) {
        cgroups.append(Cgroup(controller: controller, path: path))
        var bytes = 0
        for cgroup in cgroups { bytes += cgroup.controller.count + cgroup.path.count + 4 }
        guard cgroups.count <= Limits.containerCgroups, controller.count <= Limits.componentBytes,
            path.count <= Limits.cgroupPathBytes, bytes <= Limits.containerCgroupBytes
        else { throw JSON.Damage() }
    }
}

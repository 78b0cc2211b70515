internal import TestNode

extension SamplePod {
    mutating func start(_ plans: [Workload], _ pidNamespace: PIDNamespace) throws(SampleError) {
        try makeDirectory(directory)
        try makeDirectory(shm)
        try mountFilesystem("tmpfs", from: "shm", at: shm, options: "size=65536k,mode=1777", nothingExecutable: true)
        try pinNetworkNamespace()
        for container in containers { try prepare(container) }
        for (container, plan) in zip(workloads, plans) { try makeFiles(plan.files, in: container) }
        if let first = workloads.first {
            try makeDirectory("\(first.directory)/volume")
            try bindMount(node.volume, at: "\(first.directory)/volume")
        }

        // The infra container first: it makes the namespaces that the others join.
        try configure(infra, script: Workload().script, own: namespaces(ofInfra: pidNamespace), hostname: name)
        infra = try run([infra])[0]
        for (container, plan) in zip(workloads, plans) {
            try configure(container, script: plan.script, own: namespaces(ofWorkload: pidNamespace), hostname: nil)
        }
        workloads = try run(workloads)
        for (container, plan) in zip(workloads, plans) where plan.isPaused {
            do { try runCommand(runtimeCommand(container, ["pause", container.id])) } catch {
                throw failure(of: "pause", container)
            }
        }
        registration = try json(document)
    }

    /// unshare(1) mounts the new namespace on the pin; the program that it runs in it makes two links.
    private func pinNetworkNamespace() throws(SampleError) {
        try write("", to: netns)
        try runCommand(
            ["unshare", "--net=\(netns)", "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0"],
            "is iproute2 installed?")
    }

    private func prepare(_ container: Container) throws(SampleError) {
        let directory = container.directory
        for path in ["", "/rootfs", "/upper", "/work"] { try makeDirectory(directory + path) }
        try mountFilesystem(
            "overlay", from: "overlay", at: "\(directory)/rootfs",
            options: "lowerdir=\(node.image),upperdir=\(directory)/upper,workdir=\(directory)/work")
    }

    private func makeFiles(_ count: Int, in container: Container) throws(SampleError) {
        for number in 0..<count {
            let group = "\(container.directory)/files-\(number / 100)"
            if number % 100 == 0 { try makeDirectory(group) }
            try write("", to: "\(group)/\(number)")
        }
    }

    private func namespaces(ofInfra pidNamespace: PIDNamespace) -> [RuntimeSpec.Namespace] {
        let own = ["mount", "ipc", "uts"] + (pidNamespace == .host ? [] : ["pid"])
        return own.map { RuntimeSpec.Namespace(type: $0) } + [RuntimeSpec.Namespace(type: "network", path: netns)]
    }

    private func namespaces(ofWorkload pidNamespace: PIDNamespace) -> [RuntimeSpec.Namespace] {
        var namespaces = [
            RuntimeSpec.Namespace(type: "mount"), RuntimeSpec.Namespace(type: "network", path: netns),
            RuntimeSpec.Namespace(type: "ipc", path: "/proc/\(infra.pid)/ns/ipc"),
            RuntimeSpec.Namespace(type: "uts", path: "/proc/\(infra.pid)/ns/uts"),
        ]
        switch pidNamespace {
        case .container: namespaces.append(RuntimeSpec.Namespace(type: "pid"))
        case .pod: namespaces.append(RuntimeSpec.Namespace(type: "pid", path: "/proc/\(infra.pid)/ns/pid"))
        case .host: break
        }
        return namespaces
    }

    private func configure(
        _ container: Container, script: String, own namespaces: [RuntimeSpec.Namespace], hostname: String?
    ) throws(SampleError) {
        let spec = RuntimeSpec(
            script: script, hostname: hostname, shm: shm, cgroup: "\(SampleNode.cgroup)/\(container.id)",
            annotations: ["io.kubernetes.container.name": container.name, "io.kubernetes.pod.name": name],
            namespaces: namespaces)
        try write(json(spec), to: "\(container.directory)/config.json")
    }

    /// Starts containers at once, and waits until each has set its signal handlers: it closes its standard output then.
    private func run(_ containers: [Container]) throws(SampleError) -> [Container] {
        var runtimes: [Program] = []
        for container in containers {
            let bundle = ["--bundle", container.directory, "--pid-file", "\(container.directory)/pid"]
            runtimes.append(
                try startCommand(runtimeCommand(container, ["run", "--detach"] + bundle + [container.id])))
        }
        let ended = runtimes.map { try? $0.wait(seconds: 60) }
        for (container, exit) in zip(containers, ended) where exit != .exited(0) { throw failure(of: "run", container) }
        for (container, runtime) in zip(containers, runtimes) {
            guard (try? runtime.awaitOutputEnd(seconds: 20)) == true else {
                throw .program(
                    command: "\(node.runtime) run",
                    reason: "the container \(container.name) was not ready within 20 seconds")
            }
        }
        var started = containers
        for index in started.indices {
            guard let text = contents(of: "\(started[index].directory)/pid"), let pid = Int32(text),
                let startTime = livingProcess(pid)
            else { throw failure(of: "run", started[index]) }
            started[index].pid = pid
            started[index].startTime = startTime
        }
        return started
    }

    private func runtimeCommand(_ container: Container, _ arguments: [String]) -> [String] {
        [node.runtime, "--root", node.runtimeRoot, "--log", "\(container.directory)/runtime.log"] + arguments
    }

    private func failure(of verb: String, _ container: Container) -> SampleError {
        let log = contents(of: "\(container.directory)/runtime.log") ?? ""
        return .program(
            command: "\(node.runtime) \(verb) (\(container.name))",
            reason: log.isEmpty ? "the container ended at once, or the runtime failed without a word" : log)
    }

    private var document: Registration {
        Registration(
            sandbox: Registration.Sandbox(
                id: id, metadata: Registration.Metadata(name: name, namespace: "default", uid: uid),
                directory: directory, shm: shm, namespaces: ["network": netns], labels: ["app": name]),
            infra: Registration.Container(infra), containers: workloads.map(Registration.Container.init))
    }
}

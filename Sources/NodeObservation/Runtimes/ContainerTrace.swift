/// What a container's bundle and its runtime's state say about it; one of the two may be gone.
struct ContainerTrace {
    let id: String
    let bundle: String?
    let spec: BundleSpec?
    let state: RuntimeStateFile?
    var runtime: ObservedRuntime
    /// The program that runs the container, if it is not a shim of runc or crun.
    var foreignShim: String?

    /// The bundle's annotations, or else the copy that the runtime keeps.
    var annotations: [String: String] {
        if let annotations = spec?.annotations?.compactMapValues({ $0 }), !annotations.isEmpty { return annotations }
        return state?.annotations ?? [:]
    }

    var pins: [String: String] { spec?.pins ?? state?.pins ?? [:] }
    var processLabel: String { spec?.process?.selinuxLabel ?? state?.processLabel ?? "" }
    var mountLabel: String { spec?.linux?.mountLabel ?? state?.mountLabel ?? "" }

    /// The cgroups in which the container's own ones lie.
    var parentCgroups: [String] {
        (state?.cgroups ?? []).compactMap { cgroup in
            guard let slash = cgroup.lastIndex(of: "/"), cgroup[slash...].contains(id) else { return nil }
            return String(cgroup[..<slash])
        }
    }

    /// - Parameter places: The container's directories; those that do not exist are left out.
    func container(
        isInfra: Bool, name: String, image: String, places: [ObservedDirectory], _ files: NodeFiles
    ) throws(ObservationError) -> ObservedContainer {
        var container = ObservedContainer(
            id: id, isInfra: isInfra, name: name, created: state?.created, image: image, runtime: runtime,
            directories: [])
        container.isKnownToRuntime = state != nil
        if let path = spec?.root?.path ?? state?.rootfs {
            container.rootfs = path.first == "/" ? path : bundle.map { "\($0)/\(path)" } ?? ""
        }
        for place in places where try files.observation(of: place.path) != nil { container.directories.append(place) }
        container.stopSignal = annotations["org.opencontainers.image.stopSignal"]
        if let process = try state?.livingProcess() {
            container.pid = process.pid
            container.startTime = process.startTime
        }
        // A cgroup shared with others is not the container's own, and would not be empty before the others have ended.
        for cgroup in state?.cgroups ?? [] where cgroup.split(separator: "/").last?.contains(id) == true {
            if try files.observation(of: cgroup) != nil { container.cgroups.append(cgroup) }
        }
        if state == nil, let path = spec?.cgroup, path.split(separator: "/").last?.contains(id) == true {
            for cgroup in try files.cgroupHierarchies().map({ $0 + path }) {
                if try files.observation(of: cgroup) != nil { container.wantedCgroups.append(cgroup) }
            }
        }
        return container
    }
}

extension ObservedRuntime {
    /// - Parameter program: A name, or an absolute path.
    public mutating func setProgram(_ program: String) {
        guard let last = program.split(separator: "/").last else { return }
        name = String(last)
        if program.first == "/" { path = program }
    }
}

extension BundleSpec {
    var hasPoststopHooks: Bool { !(hooks?.poststop ?? []).isEmpty }
}

extension ObservedPod {
    /// Sorts the infra container first, then the oldest, in a stable order.
    mutating func sortContainers() {
        containers.sort { left, right in
            if left.isInfra != right.isInfra { return left.isInfra }
            return (left.created ?? "", left.id) < (right.created ?? "", right.id)
        }
    }
}

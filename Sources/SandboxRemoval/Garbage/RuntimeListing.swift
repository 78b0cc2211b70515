import FoundationEssentials

/// The output of `list --format json` of runc or crun.
struct RuntimeListing {
    struct Container: Decodable {
        let id: String
        let pid: Int32?
        let status: String
        let bundle: String?
        let rootfs: String?
        let created: String?
        let annotations: [String: String]?

        var isStopped: Bool { status == "stopped" }

        /// Whether the container may be podman's, which keeps its containers where CRI-O does. crun lists no
        /// annotations.
        var isContainersStorages: Bool {
            guard let manager = annotations?["io.container.manager"] else {
                return bundle?.contains("/overlay-containers/") == true
            }
            return manager != "cri-o"
        }

        var sandbox: String? {
            ["io.kubernetes.cri.sandbox-id", "io.kubernetes.cri-o.SandboxID"].compactMap { annotations?[$0] }.first
        }

        func living(as pid: Int32?) -> LivingContainer {
            LivingContainer(id: id, sandbox: sandbox, bundle: bundle ?? "", rootfs: rootfs ?? "", pid: pid ?? 0)
        }
    }

    let containers: [Container]

    /// nil if the bytes are not such output. The runtimes print `null` for no containers at all.
    init?(_ bytes: [UInt8]) {
        do {
            containers = try JSONDecoder().decode([Container]?.self, from: Data(bytes)) ?? []
        } catch {
            return nil
        }
    }
}
